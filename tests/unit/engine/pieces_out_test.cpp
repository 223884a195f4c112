// SPDX-License-Identifier: Apache-2.0
//
// Goal: a piece leaves without a write where its block is unchanged, else by one write of its block
// and of nothing else; until that has ended well the piece is the truth. Method: scripts.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using PiecesOutTest = PiecesEngineRig;

TEST_F(PiecesOutTest, AnUnchangedPieceLeavesWithoutAWrite) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    disk.requests.clear();
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_TRUE(disk.requests.empty());
    EXPECT_EQ(stats().pieces_out, 1u);
    EXPECT_EQ(stats().pieces_written, 0u);
}

TEST_F(PiecesOutTest, AChangedPieceIsWrittenOverItsBlockAlone) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 0);
    touch_block(0, 2);
    std::memset(piece(0, 2), 99, block_bytes);
    disk.requests.clear();
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    ASSERT_EQ(disk.requests.size(), 1u);
    EXPECT_EQ(disk.requests[0].length_bytes, block_bytes);
    EXPECT_EQ(stats().pieces_out, 2u);
    EXPECT_EQ(stats().pieces_written, 1u);
    request(RequestKind::acquire, 0, 1, 7);
    settle();
    EXPECT_TRUE(block_is(0, 0, 10));
    EXPECT_TRUE(block_is(0, 1, 11));
    EXPECT_TRUE(block_is(0, 2, 99));
}

TEST_F(PiecesOutTest, ThePieceIsTheTruthUntilTheWriteHasEnded) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    std::memset(piece(0, 2), 99, block_bytes);
    disk.requests.clear();
    disk.faults.clear();
    disk.faults[0] = {IoFault::Kind::hold};
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::scattering);
    EXPECT_TRUE(device.called("conceal piece 0.2"));
    EXPECT_FALSE(device.called("close piece 0.2"));
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_TRUE(device.called("close piece 0.2"));
}

TEST_F(PiecesOutTest, APieceThatTheKernelPinsStays) {
    promise(0, 1);
    store_chunk(0, 10);
    touch_block(0, 2);
    device.pinned = true;
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_EQ(device.count("reveal piece 0.2"), 2u) << "whoever came meanwhile has to be woken";
}

// The disk refuses the block for good. Nothing is lost: the piece goes back to the program, is not
// asked to leave again, and leaves with its whole chunk to another place.
TEST_F(PiecesOutTest, ARefusedPieceLeavesWithItsWholeChunk) {
    promise(0, 1);
    store_chunk(0, 10);
    const uint32_t place = record(0).place_first;
    touch_block(0, 2);
    std::memset(piece(0, 2), 99, block_bytes);
    disk.requests.clear();
    disk.faults.clear();
    // Each request is repeated by the store before the engine repeats it.
    const uint64_t tries = (limits::io_retries_max + 1) * (limits::io_retries_max + 1);
    for (uint64_t request = 0; request < tries; ++request)
        disk.faults[request] = {IoFault::Kind::fail, EIO};
    evict(0);
    settle();
    EXPECT_EQ(disk.requests.size(), tries);
    EXPECT_EQ(state(0), ChunkState::scattered);
    EXPECT_EQ(stats().write_failures, limits::io_retries_max + 1);
    request(RequestKind::acquire, 0, 1, 7);
    settle();
    ASSERT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(block_is(0, 2, 99));
    disk.faults[disk.requests.size()] = {IoFault::Kind::fail, ENOSPC};  // and the whole chunk, once
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 0u) << "the place does not hold what its tags say";
    EXPECT_NE(record(0).place_first, place);
    request(RequestKind::acquire, 0, 1, 8);
    settle();
    EXPECT_TRUE(block_is(0, 2, 99));
}

// Lone touches of many chunks: pieces are taken from the oldest, ahead of need, and none is lost.
TEST_F(PiecesOutTest, SomeStayFreeUnderPressure) {
    constexpr uint32_t count = 20;
    promise(0, count);
    for (uint32_t chunk = 0; chunk < count; ++chunk)
        store_chunk(chunk, static_cast<uint8_t>(chunk));
    for (uint32_t chunk = 0; chunk < count; chunk += 2) {
        touch_block(chunk, 1);
        EXPECT_GE(engine.pieces_free(), 1u);
        ASSERT_NE(piece(chunk, 1), nullptr);
        std::memset(piece(chunk, 1), 100 + static_cast<int>(chunk), block_bytes);
    }
    EXPECT_EQ(stats().pieces_in, count / 2);
    EXPECT_GE(stats().pieces_written, count / 2 - pieces);
    for (uint32_t chunk = 0; chunk < count; chunk += 2) {
        request(RequestKind::acquire, chunk, 1, chunk);
        settle();
        EXPECT_TRUE(block_is(chunk, 1, static_cast<uint8_t>(100 + chunk))) << chunk;
        EXPECT_TRUE(block_is(chunk, 3, static_cast<uint8_t>(chunk + 3))) << chunk;
    }
}

// Goal: a block that was refused for good is not written again and again. Method: pieces of as many
// chunks as there are; the disk refuses the first that has to go, once; then others need pieces.
TEST_F(PiecesOutTest, ARefusedPieceIsLeftAlone) {
    constexpr uint32_t count = 16;
    promise(0, 2 * count);
    for (uint32_t chunk = 0; chunk < 2 * count; chunk += 2) store_chunk(chunk, 10);
    const uint64_t tries = (limits::io_retries_max + 1) * (limits::io_retries_max + 1);
    for (uint32_t chunk = 0; chunk < 2 * count; chunk += 2) {
        // The last piece is read, then the first is to make room.
        if (chunk == 2 * (pieces - 1))
            for (uint64_t request = 1; request <= tries; ++request)
                disk.faults[disk.requests.size() + request] = {IoFault::Kind::fail, EIO};
        touch_block(chunk, 1);
        std::memset(piece(chunk, 1), 99, block_bytes);
    }
    EXPECT_EQ(stats().write_failures, limits::io_retries_max + 1);
    EXPECT_GE(stats().pieces_written, count - pieces);
    EXPECT_TRUE(piece_is(0, 1, 99));
}

TEST_F(PiecesOutTest, AClosedSessionGivesEverythingBack) {
    promise(0, 2);
    store_chunk(0, 10);
    store_chunk(1, 20);
    touch_block(0, 2);
    touch_block(1, 0);
    std::memset(piece(0, 2), 99, block_bytes);
    disk.requests.clear();
    disk.faults.clear();
    disk.faults[0] = {IoFault::Kind::hold};
    evict(0);
    settle();
    engine.close_session(session);
    settle();
    EXPECT_FALSE(is_closed) << "the write still owns the piece";
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_TRUE(is_closed);
    EXPECT_EQ(engine.pieces_free(), pieces);
}

}  // namespace
}  // namespace ciuic::test
