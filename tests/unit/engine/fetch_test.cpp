// SPDX-License-Identifier: Apache-2.0
//
// Goal: nothing is shown that has not been verified; what is lost is lost loudly; the block that
// the program waits for comes first.
// Method: scripts with held, failed and damaged reads.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

class FetchTest : public EngineRig {
protected:
    void SetUp() override {
        promise(0, chunks);
        put(0, 7);
        evict_fully(0);
        device.calls.clear();
        reads_from = disk.requests.size();
    }
    // Damages the chunk's place in the file.
    void damage(uint64_t offset_bytes) {
        const uint64_t place = record(0).place_first * limits::granule_bytes;
        disk.bytes[place + offset_bytes] ^= std::byte{1};
    }
    size_t reads_from = 0;
};
using BlindFetchTest = BlindEngineRig;

TEST_F(FetchTest, ShowsTheTouchedBlockFirstAndReadOnly) {
    disk.faults[reads_from + 1] = {IoFault::Kind::hold};  // what lies before the block
    device.touch(0, false, 2 * block_bytes);
    settle();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open 0", "reveal block 2 of 0 ro"}));
    EXPECT_EQ(state(0), ChunkState::fetching);
    disk.release(disk.requests[reads_from + 1].token);
    settle();
    EXPECT_EQ(device.calls.back(), "reveal 0 ro");
    EXPECT_EQ(record(0).copies, Copies::both);
}

TEST_F(FetchTest, AWriterWaitsForTheWholeChunk) {
    device.touch(0, true, 2 * block_bytes);
    settle();
    EXPECT_FALSE(device.called("reveal block 2 of 0 ro"));
    EXPECT_EQ(device.calls.back(), "reveal 0 rw");
    EXPECT_EQ(record(0).copies, Copies::device);
}

// Making a frame takes a sixth of the read.
TEST_F(FetchTest, TheFirstPartIsAtTheDiskWhileTheFrameIsMade) {
    disk.faults[reads_from] = {IoFault::Kind::hold};
    device.refused_opens = 1;
    device.touch(0, true);
    settle();
    EXPECT_EQ(disk.requests.size(), reads_from + 1);
    EXPECT_TRUE(device.calls.empty());
    EXPECT_EQ(state(0), ChunkState::fetching);
    disk.release(disk.requests.back().token);
    settle();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open 0", "reveal 0 rw"}));
    EXPECT_EQ(disk.requests.size(), reads_from + read_slices_max) << "nothing is read twice";
    EXPECT_TRUE(all_bytes_are(0, 7));
}

// Nothing has been opened, so that closing it could wake whoever waits there.
TEST_F(FetchTest, WhoeverWaitsForAFrameThatIsRefusedTwiceGoesOnWaiting) {
    device.refused_opens = 3;
    device.touch(0, true);
    settle();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open 0", "reveal 0 rw"}));
    EXPECT_EQ(disk.requests.size(), reads_from + 1 + read_slices_max)
        << "once refused, frames come before reads";
    EXPECT_TRUE(all_bytes_are(0, 7));
}

TEST_F(FetchTest, GivenUpBeforeItsFrameIsThere) {
    disk.faults[reads_from] = {IoFault::Kind::hold};
    device.refused_opens = 1;
    device.touch(0);
    settle();
    request(RequestKind::discard, 0, 1, 1);
    settle();
    disk.release(disk.requests.back().token);
    settle();
    EXPECT_EQ(state(0), ChunkState::vacant);
    EXPECT_FALSE(device.called("open 0") || device.called("close 0"));
    EXPECT_TRUE(device.called("poison 0")) << "whoever waits touched what was given up";
    EXPECT_EQ(engine.frames_free(), frames);
}

// Whoever waits does not wait for a worker's wake-ups as well.
TEST_F(FetchTest, WhatIsWaitedForIsHashedWithoutAWorker) {
    workers.held = true;
    disk.faults[reads_from + read_slices_max - 1] = {IoFault::Kind::hold};
    device.touch(0, true);
    settle();
    ASSERT_EQ(disk.requests.size(), reads_from + read_slices_max);
    EXPECT_EQ(state(0), ChunkState::fetching) << "a part is still on its way";
    disk.release(disk.requests.back().token);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(0, 7));
}

TEST_F(FetchTest, WhatNobodyWaitsForIsOneRead) {
    request(RequestKind::prefetch, 0, 1, 1);
    settle();
    EXPECT_EQ(disk.requests.size(), reads_from + 1);
    EXPECT_EQ(state(0), ChunkState::ready);
}

// Each part that is read again is looked at again.
TEST_F(FetchTest, APartThatCameDamagedOnceIsReadAgain) {
    disk.faults[reads_from + read_slices_max] = {IoFault::Kind::hold};
    damage(0);
    device.touch(0, true);
    settle();
    ASSERT_EQ(state(0), ChunkState::fetching);
    damage(0);  // as it was
    disk.release(disk.requests[reads_from + read_slices_max].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(0, 7));
}

TEST_F(FetchTest, NeverShowsADamagedByte) {
    for (uint64_t offset_bytes = 0; offset_bytes < chunk_bytes; offset_bytes += 1021) {
        SCOPED_TRACE(offset_bytes);
        damage(offset_bytes);
        device.calls.clear();
        device.touch(0, false, 0);
        // A block that is intact may be shown before the damage is found elsewhere.
        settle();
        ASSERT_EQ(state(0), ChunkState::lost);
        EXPECT_FALSE(device.called("reveal 0 ro"));
        EXPECT_EQ(device.called("reveal block 0 of 0 ro"), offset_bytes >= block_bytes);
        EXPECT_EQ(device.calls.back(), "poison 0");
        request(RequestKind::clear, 0, 1, 1);
        settle();
        put(0, 7);
        evict_fully(0);
    }
    EXPECT_GT(stats().chunks_lost, 0u);
    EXPECT_EQ(stats().tag_failures, stats().chunks_lost * (limits::io_retries_max + 1));
}

TEST_F(FetchTest, AReadThatFailsForATimeIsRepeated) {
    disk.faults[reads_from] = {IoFault::Kind::fail, EIO};
    device.touch(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(0, 7));
}

TEST_F(FetchTest, AnotherChunksBytesAreRefused) {
    put(1, 7);  // the same content, so that only the binding of the tag can tell
    evict_fully(1);
    const uint64_t mine = record(0).place_first * limits::granule_bytes;
    const uint64_t other = record(1).place_first * limits::granule_bytes;
    disk.bytes[other] = std::byte{8};
    std::copy_n(disk.bytes.begin() + static_cast<std::ptrdiff_t>(other), chunk_bytes,
                disk.bytes.begin() + static_cast<std::ptrdiff_t>(mine));
    device.touch(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::lost);
}

TEST_F(FetchTest, APlaceThatLostItsBytesIsNeverUsedAgain) {
    const uint32_t place = record(0).place_first;
    damage(0);
    device.touch(0);
    settle();
    ASSERT_EQ(state(0), ChunkState::lost);
    while (const auto other = store.allocate()) EXPECT_NE(other->first_granule, place);
}

// A client that could cost the store its places would in time leave others without any.
TEST_F(FetchTest, WhatTheClientMayHaveDoneCostsTheStoreNoPlace) {
    device.let_program_reach_frames();
    const uint32_t room = store.chunks_max();
    damage(0);
    device.touch(0);
    settle();
    ASSERT_EQ(state(0), ChunkState::lost);
    EXPECT_EQ(store.chunks_max(), room);
    EXPECT_EQ(tamperings, 0u);
}

TEST_F(FetchTest, AReadIntoMemoryThatIsGoneIsTheClientsDoing) {
    const uint32_t room = store.chunks_max();
    for (uint64_t request = 0; request < 100; ++request)
        disk.faults[reads_from + request] = {IoFault::Kind::fail, EFAULT};
    device.touch(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::lost) << "loudly";
    EXPECT_TRUE(device.called("poison 0"));
    EXPECT_GT(tamperings, 0u);
    EXPECT_EQ(store.chunks_max(), room);
}

TEST_F(FetchTest, ALostChunkRefusesEveryLaterTouch) {
    damage(0);
    device.touch(0);
    settle();
    device.calls.clear();
    device.touch(0);
    settle();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"poison 0"}));
    request(RequestKind::acquire, 0, 1, 3);
    settle();
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{3, Errc::data_lost}));
}

TEST_F(FetchTest, AChunkDiscardedDuringItsReadIsGivenUpWhenTheReadEnds) {
    for (uint64_t part = 0; part < read_parts; ++part)
        disk.faults[reads_from + part] = {IoFault::Kind::hold};
    device.touch(0);
    settle();
    request(RequestKind::discard, 0, 1, 7);
    settle();
    EXPECT_FALSE(device.called("close 0")) << "the disk still writes into the frame";
    while (disk.requests.size() > reads_from) {
        const auto held = disk.requests.back().token;
        disk.release(held);
        disk.requests.pop_back();
        settle();
    }
    EXPECT_EQ(state(0), ChunkState::vacant);
    EXPECT_EQ(engine.frames_free(), frames);
}

TEST_F(FetchTest, APrefetchedChunkStaysHiddenUntilItIsTouched) {
    request(RequestKind::prefetch, 0, 1, 1);
    settle();
    EXPECT_EQ(state(0), ChunkState::ready);
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open 0"}));
    device.touch(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(device.calls.back(), "reveal 0 ro");
    EXPECT_EQ(stats().prefetches_used, 1u);
}

TEST_F(BlindFetchTest, KeepsThePlaceToCompareWithAndTrustsItNoMore) {
    promise(0, 1);
    put(0, 7);
    evict_fully(0);
    device.touch(0);
    settle();
    EXPECT_EQ(record(0).copies, Copies::device);
    EXPECT_TRUE(record(0).flags & ChunkFlags::kept);
}

}  // namespace
}  // namespace ciuic::test
