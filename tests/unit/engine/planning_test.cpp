// SPDX-License-Identifier: Apache-2.0
//
// Goal: frames are emptied ahead of need, streams are prefetched within the room there is.
// Method: touches in order, with the tables looked at in between.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using PlanningTest = EngineRig;

TEST_F(PlanningTest, KeepsAReserveOfFreeFrames) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
        device.touch(chunk, true);
        settle();
        EXPECT_EQ(state(chunk), ChunkState::resident);
        EXPECT_GE(engine.frames_free(), 2u) << "chunk " << chunk;
    }
    EXPECT_GT(stats().evictions, chunks - frames);
}

TEST_F(PlanningTest, AStreamIsFetchedAheadOfItsTouches) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, static_cast<uint8_t>(chunk));
    for (uint32_t chunk = 0; chunk < 16; ++chunk) {
        device.touch(chunk);
        settle();
        ASSERT_EQ(state(chunk), ChunkState::resident);
        ASSERT_TRUE(all_bytes_are(chunk, static_cast<uint8_t>(chunk)));
    }
    EXPECT_GE(stats().prefetches_used, 6u);
    EXPECT_LE(stats().prefetches_wasted, stats().prefetches_used / 4);
}

class RoomyTest : public EngineRig {
protected:
    RoomyTest() : EngineRig(true, 0, {}, 24) {}
};

TEST_F(RoomyTest, AnOrderThatIsRepeatedIsFetchedAheadOfItsTouches) {
    constexpr uint32_t periods = 20;
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, static_cast<uint8_t>(chunk));
    SessionStats learned;
    for (uint32_t touch = 0; touch < periods * chunks; ++touch) {
        if (touch == periods / 2 * chunks) learned = stats();
        const uint32_t chunk = touch * 13 % chunks;  // all of them; neighbours are far apart
        device.touch(chunk);
        settle();
        ASSERT_EQ(state(chunk), ChunkState::resident);
        ASSERT_TRUE(all_bytes_are(chunk, static_cast<uint8_t>(chunk)));
    }
    // Twelve of 32 chunks have no frame; four frames are kept free.
    const uint64_t in_order = stats().prefetches_in_order - learned.prefetches_in_order;
    EXPECT_GE(in_order, 12u * periods / 2);
    EXPECT_LE(stats().prefetches - learned.prefetches, in_order * 21 / 20);
    EXPECT_LE(stats().prefetches_wasted - learned.prefetches_wasted, in_order / 20);
}

TEST_F(RoomyTest, WhatItsOrderExpectsNextIsNotEvictedForOthers) {
    constexpr uint32_t in_order = 26;
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, static_cast<uint8_t>(chunk));
    for (uint32_t touch = 0; touch < 20 * in_order; ++touch) {
        device.touch(touch * 11 % in_order);
        settle();
    }
    const auto count_ready = [this] {
        uint32_t ready = 0;
        for (uint32_t chunk = 0; chunk < chunks; ++chunk)
            ready += state(chunk) == ChunkState::ready ? 1 : 0;
        return ready;
    };
    const uint32_t ready = count_ready();
    const uint64_t wasted = stats().prefetches_wasted;
    ASSERT_GE(ready, 3u);
    for (const uint32_t other : {26u, 28u, 30u, 27u, 29u, 31u}) {
        device.touch(other);
        settle();
        ASSERT_EQ(state(other), ChunkState::resident);
    }
    EXPECT_GE(count_ready(), ready);
    EXPECT_EQ(stats().prefetches_wasted, wasted);
}

// A program that uses all that it has would come back to the next one, too, and to the one after.
TEST_F(RoomyTest, AnEvictionThatWasTakenBackIsMadeUpForWithTheNextFrame) {
    constexpr uint32_t reserve = 4;
    const auto chunk_of = [](uint32_t touch) { return touch * 13 % chunks; };
    promise(0, chunks);
    uint32_t touches = 0;
    while (engine.frames_free() > reserve) put(chunk_of(touches++), 1);
    ASSERT_TRUE(disk.requests.empty());
    disk.faults[0] = {IoFault::Kind::hold};
    put(chunk_of(touches++), 1);
    uint32_t victim = 0;
    while (state(victim) != ChunkState::evicting) ASSERT_LT(++victim, chunks);
    device.touch_protected(victim);
    settle();
    disk.release(disk.requests.front().token);
    settle();
    ASSERT_EQ(stats().recalls, 1u);
    EXPECT_EQ(engine.frames_free(), reserve - 1);
    EXPECT_EQ(disk.requests.size(), 1u) << "another chunk was frozen";
    put(chunk_of(touches++), 1);
    EXPECT_EQ(engine.frames_free(), reserve);
    EXPECT_EQ(stats().evictions, 2u);
}

TEST_F(RoomyTest, FirstTouchesInOrderAreFilledAhead) {
    promise(0, 8);
    device.touch(0, true);
    settle();
    device.touch(1, true);
    settle();
    EXPECT_EQ(state(2), ChunkState::zeroed);
    EXPECT_FALSE(device.called("reveal 2 rw"));
    EXPECT_GT(stats().fills, 2u);
    device.calls.clear();
    device.touch(2, true);
    settle();
    EXPECT_EQ(state(2), ChunkState::resident);
    EXPECT_EQ(device.calls.front(), "reveal 2 rw");
    EXPECT_TRUE(all_bytes_are(2, 0));
    EXPECT_EQ(stats().prefetches, 0u) << "nothing was fetched";
    EXPECT_EQ(stats().prefetches_used, 0u);
}

TEST_F(RoomyTest, NothingIsFilledBehindTheEndOfWhatIsPromised) {
    promise(0, 3);
    for (uint32_t chunk = 0; chunk < 3; ++chunk) put(chunk, 1);
    EXPECT_EQ(stats().fills, 3u);
    EXPECT_EQ(state(3), ChunkState::vacant);
}

TEST_F(RoomyTest, ZerosThatNobodyTouchedGoWithoutAWrite) {
    promise(0, chunks);
    put(0, 1);
    put(1, 1);
    ASSERT_EQ(state(2), ChunkState::zeroed);
    request(RequestKind::evict, 2, 1, 1);
    settle();
    EXPECT_EQ(state(2), ChunkState::empty);
    EXPECT_EQ(stats().store_bytes_written, 0u);
    EXPECT_EQ(stats().prefetches_wasted, 0u);
    device.touch(2);
    settle();
    EXPECT_EQ(state(2), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(2, 0));
}

// Beside evictions, zeros ahead would take the frames of chunks that are in use.
TEST_F(RoomyTest, NothingIsFilledAheadUnderPressure) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
        put(chunk, 1);
        ASSERT_TRUE(chunk < 24 || state((chunk + 1) % chunks) != ChunkState::zeroed);
    }
    EXPECT_GT(stats().evictions, 0u);
}

class LongStreamTest : public EngineRig {
protected:
    LongStreamTest() : EngineRig(true, 0, {}, 24) {}
};

TEST_F(LongStreamTest, WhatCouldNotStartIsNotForgottenAtTheNextTouch) {
    promise(0, 16);
    for (uint32_t chunk = 0; chunk < 16; ++chunk) put(chunk, 1);
    request(RequestKind::evict, 0, 16, 1);
    settle();
    device.touch(0);
    settle();
    device.touch(1);
    engine.tick();  // chunk 1 is on its way; 2 and 3 are proposed
    device.refused_opens = UINT32_MAX;
    for (int turn = 0; turn < 4; ++turn) engine.tick();
    device.touch(2);
    engine.tick();  // 4 and more are proposed
    ASSERT_EQ(state(3), ChunkState::stored);
    device.refused_opens = 0;
    settle();
    EXPECT_EQ(state(2), ChunkState::resident);
    EXPECT_EQ(state(3), ChunkState::ready);
    EXPECT_EQ(state(4), ChunkState::ready);
}

class PassesTest : public EngineRig {
protected:
    explicit PassesTest(bool recency_only = false)
        : EngineRig(true, 0, {.prefetch_chunks_max = 0, .recency_only = recency_only}, 20) {}

    // Every chunk once. Returns how many were still there.
    uint32_t pass() {
        uint32_t found = 0;
        for (uint32_t step = 0; step < chunks; ++step) {
            const uint32_t chunk = step * 11 % chunks;
            found += state(chunk) == ChunkState::resident;
            if (state(chunk) == ChunkState::resident) continue;
            device.touch(chunk);
            settle();
            EXPECT_EQ(state(chunk), ChunkState::resident);
        }
        return found;
    }
};

// 20 frames, 4 of them kept free, 4 for the newest: 12 of 32 chunks can be kept, but for those that
// recency is left to try.
TEST_F(PassesTest, RepeatedPassesFindWhatTheFramesHold) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, 1);
    uint32_t found = 0;
    for (int count = 0; count < 20; ++count) found = pass();
    EXPECT_EQ(engine.changes_to(EvictionRule::keep_old), 1u);
    EXPECT_GE(found, 8u);
}

class RecencyOnlyTest : public PassesTest {
protected:
    RecencyOnlyTest() : PassesTest(true) {}
};

// Goal: where nothing else is asked for, nearly each use of a cycle is a miss; the clock lets a few
// stay for one pass. Method: the same passes.
TEST_F(RecencyOnlyTest, RepeatedPassesFindNextToNothing) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, 1);
    uint32_t found = 0;
    for (int count = 0; count < 20; ++count) found += pass();
    EXPECT_LE(found, 20u * 2);
    EXPECT_EQ(engine.changes_to(EvictionRule::keep_old), 0u);
}

TEST_F(PassesTest, WhatIsGivenUpAndFilledAgainIsNoReturn) {
    promise(0, chunks);
    for (int count = 0; count < 20; ++count) {
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, 1);
        request(RequestKind::clear, 0, chunks, 1);
        settle();
    }
    EXPECT_GT(stats().evictions, 10u * (chunks - 20));
    EXPECT_EQ(engine.changes_to(EvictionRule::keep_old), 0u);
}

TEST_F(PlanningTest, PinnedChunksOutliveAnyPressure) {
    promise(0, chunks);
    put(0, 1);
    put(1, 2);
    pins[0] = pins[1] = SharedWords::pin_one;
    for (uint32_t chunk = 2; chunk < chunks; ++chunk) put(chunk, 3);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(state(1), ChunkState::resident);
}

}  // namespace
}  // namespace ciuic::test
