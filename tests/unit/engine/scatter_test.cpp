// SPDX-License-Identifier: Apache-2.0
//
// Goal: a lone touch costs one block and no frame; the chunk comes in whole when more of it is
// wanted, with what the program has written to its pieces. Method: scripts on a device with pieces.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using ScatterTest = PiecesEngineRig;

TEST_F(ScatterTest, ALoneTouchReadsItsBlockAndTakesNoFrame) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_TRUE(piece_is(0, 2, 12));
    EXPECT_TRUE(device.called("reveal piece 0.2"));
    EXPECT_EQ(engine.frames_free(), frames);
    ASSERT_EQ(disk.requests.size(), 1u);
    EXPECT_EQ(disk.requests[0].length_bytes, block_bytes);
    EXPECT_EQ(stats().pieces_in, 1u);
    EXPECT_EQ(stats().bytes_in_by_cause[static_cast<size_t>(Cause::fault)],
              chunk_bytes + block_bytes);
}

TEST_F(ScatterTest, ATouchBesideAPieceGathersTheChunkWithWhatWasWritten) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    std::memset(piece(0, 2), 99, block_bytes);  // the program writes, unseen
    touch_block(0, 3);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(record(0).copies, Copies::device);
    EXPECT_TRUE(block_is(0, 1, 11));
    EXPECT_TRUE(block_is(0, 2, 99));
    EXPECT_TRUE(block_is(0, 3, 13));
    EXPECT_EQ(engine.pieces_free(), pieces);
    EXPECT_EQ(stats().gathers, 1u);
    // What was gathered leaves by comparison: the place holds old bytes in one block.
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 0u);
    request(RequestKind::acquire, 0, 1, 7);
    settle();
    EXPECT_TRUE(block_is(0, 2, 99));
}

TEST_F(ScatterTest, AGatheredChunkThatWasOnlyReadLeavesWithoutAWrite) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    touch_block(0, 3);
    ASSERT_EQ(state(0), ChunkState::resident);
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 1u);
}

TEST_F(ScatterTest, ThePiecesStayTheProgramsUntilTheRestIsThere) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 0);
    disk.faults[1] = {IoFault::Kind::hold};
    touch_block(0, 1);
    EXPECT_EQ(state(0), ChunkState::gathering);
    EXPECT_FALSE(device.called("conceal piece 0.0"));
    std::memset(piece(0, 0), 77, block_bytes);
    disk.release(disk.requests[1].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 0, 77));
}

TEST_F(ScatterTest, APieceThatIsThereIsShownAgainWithoutARead) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 0);
    touch_block(0, 2);  // not beside the first
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_EQ(engine.pieces_free(), pieces - 2);
    touch_block(0, 0);  // there already: shown again, nothing is read
    EXPECT_EQ(disk.requests.size(), 2u);
    EXPECT_EQ(device.count("reveal piece 0.0"), 2u);
}

TEST_F(ScatterTest, AnAcquireBringsTheWholeChunk) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    std::memset(piece(0, 2), 50, block_bytes);
    request(RequestKind::acquire, 0, 1, 1);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 2, 50));
    EXPECT_EQ(completions.back(), std::pair(uint64_t{1}, Errc::ok));
}

TEST_F(ScatterTest, ABlockWhoseTagFailsIsReadAgainAndThenLostWithItsChunk) {
    promise(0, 2);
    store_chunk(0, 10);
    touch_block(0, 0);
    const uint64_t place_bytes = record(0).place_first * limits::granule_bytes;
    disk.bytes[place_bytes + 2 * block_bytes] ^= std::byte{1};
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::lost);
    EXPECT_EQ(stats().tag_failures, limits::io_retries_max + 1);
    EXPECT_TRUE(device.called("poison 0"));
    EXPECT_EQ(engine.pieces_free(), pieces);
}

TEST_F(ScatterTest, DamageUnderAPieceDoesNotCount) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    const uint64_t place_bytes = record(0).place_first * limits::granule_bytes;
    disk.bytes[place_bytes + 2 * block_bytes] ^= std::byte{1};
    touch_block(0, 1);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 2, 12));
}

TEST_F(ScatterTest, AClearedChunkGivesItsPiecesBackAndReadsAsZero) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    request(RequestKind::clear, 0, 1, 1);
    settle();
    EXPECT_EQ(state(0), ChunkState::empty);
    EXPECT_TRUE(device.called("close piece 0.2"));
    EXPECT_EQ(engine.pieces_free(), pieces);
}

TEST_F(ScatterTest, AChunkThatIsDiscardedWhileItsPieceComesInEndsVacant) {
    promise(0, 1);
    store_chunk(0, 10);
    disk.faults[0] = {IoFault::Kind::hold};
    touch_block(0, 2);
    ASSERT_EQ(state(0), ChunkState::scattering);
    request(RequestKind::discard, 0, 1, 1);
    settle();
    EXPECT_TRUE(completions.size() < 3 && state(0) == ChunkState::scattering);
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::vacant);
    EXPECT_FALSE(device.called("reveal piece 0.2"));
    EXPECT_EQ(engine.pieces_free(), pieces);
}

TEST_F(ScatterTest, ABusyDeviceIsAskedAgain) {
    promise(0, 1);
    store_chunk(0, 10);
    device.busy = 2;
    touch_block(0, 2);
    settle();
    settle();
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_TRUE(device.called("reveal piece 0.2"));
}

TEST_F(ScatterTest, AMachineWithoutMemoryForAPieceIsAskedAgain) {
    promise(0, 1);
    store_chunk(0, 10);
    device.refused_opens = 1;
    touch_block(0, 2);
    settle();
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_EQ(engine.pieces_free(), pieces - 1);
}

TEST_F(ScatterTest, ABlockThatComesBackAtOnceGetsAFrame) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    evict(0);
    settle();
    ASSERT_EQ(state(0), ChunkState::stored);
    touch_block(0, 2);
    EXPECT_EQ(state(0), ChunkState::resident);
}

// Chunk 0 has block 2 in a piece, full of 42, and has waited too long for a frame.
class ExpiredScatterTest : public PiecesEngineRig {
protected:
    static constexpr uint32_t apart = 3;  // no stream

    void expire() {
        promise(0, apart * frames + 1);
        store_chunk(0, 10);
        touch_block(0, 2);
        std::memset(piece(0, 2), 42, block_bytes);
        for (uint32_t chunk = apart; chunk <= apart * frames; chunk += apart) {
            pins[chunk] = SharedWords::pin_one;
            device.touch(chunk, true);
            settle();
        }
        ASSERT_EQ(engine.frames_free(), 0u);
        touch_block(0, 3);
        clock.advance(limits::frame_deadline + Nanos{1});
        settle();
        ASSERT_TRUE(device.called("poison 0"));
        ASSERT_EQ(stats().waits_expired, 1u);
    }
    // Neither call may come before the poison is gone: lifting it drops what the program has there.
    void expect_lifted_before(const std::string& call) {
        const auto at = [&](const std::string& wanted) {
            return std::find(device.calls.begin(), device.calls.end(), wanted);
        };
        EXPECT_NE(at(call), device.calls.end());
        EXPECT_LT(at("unpoison 0"), at(call));
    }
};

// Failing loudly does not lose what the program wrote to its pieces.
TEST_F(ExpiredScatterTest, ThePiecesAreKept) {
    expire();
    EXPECT_TRUE(device.called("conceal piece 0.2"));
    EXPECT_EQ(state(0), ChunkState::scattered);
    for (std::atomic<uint32_t>& pin : pins) pin = 0;
    request(RequestKind::acquire, 0, 1, 1);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(device.called("unpoison 0"));
    EXPECT_TRUE(block_is(0, 2, 42));
}

// A touch from before may be reported after it.
TEST_F(ExpiredScatterTest, ALateReportOfATouchOfAPieceLiftsThePoison) {
    expire();
    device.calls.clear();
    touch_block(0, 2);
    expect_lifted_before("reveal piece 0.2");
}

TEST_F(ExpiredScatterTest, ALateReportOfATouchBesideThePiecesLiftsThePoison) {
    expire();
    device.calls.clear();
    touch_block(0, 0);
    expect_lifted_before("open piece 0.0");
}

}  // namespace
}  // namespace ciuic::test
