// SPDX-License-Identifier: Apache-2.0
//
// Goal: a lone touch costs one block, whatever needs more gets the whole chunk, and nothing that is
// shown is read over. Method: touches of known blocks; the device's calls and the disk's requests
// are looked at.
#include "tests/unit/engine/engine_rig.hpp"

#include <array>

namespace ciuic::test {
namespace {

class SparseTest : public SparseEngineRig {
protected:
    void SetUp() override {
        promise(0, chunks);
        store_chunk(0, 10);
    }
};

TEST_F(SparseTest, ALoneTouchReadsItsBlockAlone) {
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::sparse);
    ASSERT_EQ(disk.requests.size(), 1u);
    EXPECT_EQ(disk.requests[0].length_bytes, block_bytes);
    EXPECT_TRUE(device.called("open block 2 of 0"));
    EXPECT_TRUE(device.called("reveal block 2 of 0 ro"));
    EXPECT_TRUE(block_is(0, 2, 12));
    EXPECT_EQ(stats().pieces_in, 1u);
}

TEST_F(SparseTest, ASecondLoneTouchGrowsIt) {
    touch_block(0, 0);
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::sparse);
    EXPECT_EQ(disk.requests.size(), 2u);
    EXPECT_TRUE(block_is(0, 0, 10));
    EXPECT_TRUE(block_is(0, 2, 12));
    EXPECT_EQ(stats().frames, 1u);
}

TEST_F(SparseTest, ATouchBesideABlockFetchesTheChunk) {
    touch_block(0, 1);
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(device.called("close 0")) << "what is shown is not read over";
    EXPECT_EQ(stats().gathers, 1u);
    EXPECT_EQ(record(0).shown_blocks, 0u);
    EXPECT_TRUE(block_is(0, 3, 13));
}

// Two wait at two blocks, and the machine refuses the memory for all of it a few times: whenever it
// gives some, both are answered. (A flag that was taken back too early left one of them for ever.)
class RefusedSparseTest : public SparseTest, public ::testing::WithParamInterface<uint32_t> {};

TEST_P(RefusedSparseTest, WhoeverWaitsElsewhereIsNotForgotten) {
    device.refused_opens = GetParam();
    device.touch(0, false, 0);
    device.touch(0, false, 2 * block_bytes);
    for (int turn = 0; turn < 8; ++turn) settle();
    EXPECT_EQ(device.refused_opens, 0u);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 2, 12));
}

INSTANTIATE_TEST_SUITE_P(Refusals, RefusedSparseTest, ::testing::Range(1u, 6u));

TEST_F(SparseTest, AWriteFetchesTheChunk) {
    touch_block(0, 0);
    touch_block(0, 2, true);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(device.called("reveal 0 rw"));
    store_chunk(5, 20);
    touch_block(5, 0);
    ASSERT_EQ(state(5), ChunkState::sparse);
    device.touch_protected(5);
    settle();
    EXPECT_EQ(state(5), ChunkState::resident);
    EXPECT_TRUE(device.called("reveal 5 rw"));
    store_chunk(10, 30);
    touch_block(10, 3, true);
    EXPECT_EQ(state(10), ChunkState::resident) << "the first touch is a write";
}

TEST_F(SparseTest, TwoAtOnceFetchTheChunk) {
    disk.faults[0] = {IoFault::Kind::hold};
    touch_block(0, 0);
    ASSERT_EQ(state(0), ChunkState::growing);
    touch_block(0, 3);
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident) << "whoever waits at block 3 is woken by the whole";
    EXPECT_TRUE(device.called("reveal 0 ro"));
    EXPECT_FALSE(record(0).flags & ChunkFlags::dense);
}

TEST_F(SparseTest, TwoWhoWaitBeforeItBeginsFetchTheChunk) {
    device.touch(0, false, 0);
    device.touch(0, false, 3 * block_bytes);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
}

TEST_F(SparseTest, ABlockThatIsThereIsShownAgain) {
    touch_block(0, 1);
    device.busy = 1;
    touch_block(0, 1);
    EXPECT_EQ(state(0), ChunkState::sparse);
    EXPECT_EQ(disk.requests.size(), 1u) << "it is never read over";
    EXPECT_EQ(device.count("reveal block 1 of 0 ro"), 2u);
}

TEST_F(SparseTest, ItLeavesWithoutAWriteAndWithoutWaiting) {
    touch_block(0, 0);
    const uint64_t evictions = stats().evictions;
    disk.requests.clear();
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_TRUE(disk.requests.empty());
    EXPECT_EQ(stats().evictions, evictions + 1);
    EXPECT_EQ(stats().pieces_out, 1u);
    EXPECT_EQ(engine.frames_free(), frames);
}

TEST_F(SparseTest, AnAcquireFetchesTheChunk) {
    touch_block(0, 0);
    request(RequestKind::acquire, 0, 1, 7);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{7, Errc::ok}));
}

TEST_F(SparseTest, ABlockThatFailsItsTagIsReadAgainThenLost) {
    disk.faults[0] = {IoFault::Kind::fail, EIO};
    touch_block(0, 1);
    EXPECT_EQ(state(0), ChunkState::sparse) << "a failed read is repeated";
    for (std::byte& byte : disk.bytes) byte ^= std::byte{1};
    touch_block(0, 3);
    EXPECT_EQ(state(0), ChunkState::lost);
    EXPECT_EQ(stats().chunks_lost, 1u);
    EXPECT_EQ(engine.frames_free(), frames);
    EXPECT_TRUE(device.called("poison 0"));
}

TEST_F(SparseTest, GivenUpWhileItGrowsAndAtRest) {
    disk.faults[0] = {IoFault::Kind::hold};
    touch_block(0, 0);
    request(RequestKind::clear, 0, 1, 1);
    settle();
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::empty);
    store_chunk(5, 20);
    touch_block(5, 0);
    ASSERT_EQ(state(5), ChunkState::sparse);
    request(RequestKind::discard, 5, 1, 2);
    settle();
    EXPECT_EQ(state(5), ChunkState::vacant);
    EXPECT_EQ(engine.frames_free(), frames);
}

// Making a page takes as long as the read.
TEST_F(SparseTest, ThePagesAreMadeWhileTheDiskIsAtWork) {
    disk.faults[0] = {IoFault::Kind::hold};
    touch_block(0, 2);
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open block 2 of 0"}));
    EXPECT_EQ(state(0), ChunkState::growing);
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_TRUE(block_is(0, 2, 12));
    EXPECT_EQ(device.calls.back(), "reveal block 2 of 0 ro");
}

TEST_F(SparseTest, PagesThatAreRefusedAreAskedForAgainWhenTheBytesAreHere) {
    touch_block(0, 0);
    device.refused_opens = 1;
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::sparse);
    EXPECT_TRUE(block_is(0, 2, 12));
    EXPECT_EQ(disk.requests.size(), 2u);
}

// Nothing has been opened, so that closing it could wake whoever waits there.
TEST_F(SparseTest, WhoeverWaitsForAPageThatIsRefusedTwiceIsServedWhole) {
    device.refused_opens = 2;
    touch_block(0, 2);
    EXPECT_FALSE(device.called("close 0"));
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 2, 12));
}

TEST_F(SparseTest, MoreAtOnceThanThereAreBuffersAreServedInTurn) {
    const std::array<uint32_t, 4> lone{0, 2, 4, 6};
    for (const uint32_t chunk : lone)
        if (chunk != 0) store_chunk(chunk, 10);
    disk.faults[0] = disk.faults[1] = {IoFault::Kind::hold};
    for (const uint32_t chunk : lone) device.touch(chunk, false, 2 * block_bytes);
    settle();
    EXPECT_EQ(disk.requests.size(), 2u) << "as many as there are buffers";
    for (const IoRequest& held : std::vector<IoRequest>(disk.requests)) disk.release(held.token);
    settle();
    for (const uint32_t chunk : lone) EXPECT_TRUE(block_is(chunk, 2, 12));
}

TEST_F(SparseTest, AProgramThatNeedsWholeChunksGetsThemAtOnce) {
    for (uint32_t chunk = 1; chunk < chunks; ++chunk) store_chunk(chunk, 10);
    // In an order that is no stream.
    uint64_t blocks_read = 0;
    for (uint32_t step = 0; step < chunks; ++step) {
        const uint32_t chunk = step * 11 % chunks;
        touch_block(chunk, 0);
        if (state(chunk) != ChunkState::sparse) continue;
        ++blocks_read;
        touch_block(chunk, 1);
        EXPECT_EQ(state(chunk), ChunkState::resident);
    }
    EXPECT_LE(blocks_read, 2 + chunks / 8);
}

}  // namespace
}  // namespace ciuic::test
