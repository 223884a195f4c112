// SPDX-License-Identifier: Apache-2.0
//
// Goal: a session that declares its uses is served by what it declares: what an order needs next
// comes and is shown ahead, what it needs last goes, in whatever way it lies to the engine.
// Method: a cycle of more chunks than frames, acquired without a wait where all is here.
#include "tests/unit/engine/engine_rig.hpp"

#include <memory>

namespace ciuic::test {
namespace {

class DeclaredTest : public EngineRig {
protected:
    static constexpr uint32_t many_frames = 24;

    explicit DeclaredTest(const EngineOptions& options = {.free_frames = 4})
        : EngineRig(true, 0, options, many_frames) {
        engine.close_session(session);
        settle();
        SessionOptions again;
        again.records = records;
        again.words = {states, pins};
        again.declared_uses = log.get();
        session = *engine.open_session(again);
        promise(0, chunks);
    }

    // True: it was here.
    bool use(uint32_t chunk, bool is_write = false) {
        pins[chunk] += SharedWords::pin_one;
        log->append(chunk, 1, is_write);
        const bool was_here = state(chunk) == ChunkState::resident;
        if (!was_here) request(RequestKind::acquire, chunk, 1, chunk);
        settle();
        EXPECT_EQ(state(chunk), ChunkState::resident);
        if (is_write) device.touch_protected(chunk);
        settle();
        pins[chunk] -= 1;
        settle();
        return was_here;
    }
    uint32_t hits_of_cycle() {
        uint32_t hits = 0;
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) hits += use(chunk * 13 % chunks) ? 1 : 0;
        return hits;
    }

    std::unique_ptr<AccessLog> log = std::make_unique<AccessLog>();
};

TEST_F(DeclaredTest, AnOrderIsHereBeforeItsUses) {
    for (int period = 0; period < 12; ++period) hits_of_cycle();
    const SessionStats before = stats();
    for (int period = 0; period < 4; ++period) EXPECT_GE(hits_of_cycle(), chunks - 2);
    const uint64_t brought = stats().prefetches_in_order - before.prefetches_in_order;
    EXPECT_GE(brought, 4u * (chunks - many_frames));
    // Of 24 frames four are kept free, two for misses, and one or two are in use.
    EXPECT_LE(brought, 4u * (chunks - many_frames + 8));
    EXPECT_GE(stats().prefetches_used - before.prefetches_used + 2, brought);
    EXPECT_LE(stats().prefetches_wasted - before.prefetches_wasted, 2u);
}

TEST_F(DeclaredTest, WhatIsGivenUpBeforeItsUseIsNotFetched) {
    for (int period = 0; period < 12; ++period) {
        hits_of_cycle();
        request(RequestKind::clear, 0, 16, 100);
        settle();
    }
    const SessionStats before = stats();
    hits_of_cycle();
    request(RequestKind::clear, 0, 16, 100);
    settle();
    // Only what keeps its bytes is ever read back.
    EXPECT_LE(stats().fetches - before.fetches, 16u);
    EXPECT_GE(stats().fills - before.fills, 16u);
}

TEST_F(DeclaredTest, UsesOfWhatIsNobodysSayNothing) {
    log->append(limits::session_chunks_max - 4, 4, true);
    log->append(chunks, 1, false);
    request(RequestKind::discard, 3, 1, 100);
    settle();
    log->append(3, 1, false);
    settle();
    EXPECT_EQ(state(3), ChunkState::vacant);
    EXPECT_FALSE(use(4));
}

// A touch is shown, and stays until the program has come back to it: the order that is declared may
// say that it goes first.
TEST_F(DeclaredTest, ATouchThatWasNotDeclaredIsLeftToRecency) {
    for (int period = 0; period < 12; ++period) hits_of_cycle();
    uint32_t gone = 0;
    while (state(gone) == ChunkState::resident) ++gone;
    device.touch(gone);
    settle();
    ASSERT_EQ(state(gone), ChunkState::resident);
    for (uint32_t other = 0, touched = 0; touched < 4; ++other) {
        if (other == gone || state(other) == ChunkState::resident) continue;
        device.touch(other);
        settle();
        ++touched;
    }
    EXPECT_EQ(state(gone), ChunkState::resident);
}

TEST_F(DeclaredTest, PinnedChunksDoNotHoldUpTheOthers) {
    for (int period = 0; period < 12; ++period) hits_of_cycle();
    // So many are in use that whatever the policy names is.
    uint32_t pinned = 0;
    for (uint32_t chunk = 0; chunk < chunks && pinned < 16; ++chunk) {
        if (state(chunk) != ChunkState::resident) continue;
        pins[chunk] += SharedWords::pin_one;
        log->append(chunk, 1, false);
        ++pinned;
    }
    settle();
    for (uint32_t chunk = 0; chunk < chunks; ++chunk)
        if (state(chunk) != ChunkState::resident) use(chunk);
}

class WithoutPrefetchTest : public DeclaredTest {
protected:
    WithoutPrefetchTest() : DeclaredTest({.free_frames = 4, .prefetch_chunks_max = 0}) {}
};

// What is left is the choice of what goes.
TEST_F(WithoutPrefetchTest, ACycleKeepsWhatFits) {
    for (int period = 0; period < 12; ++period) hits_of_cycle();
    for (int period = 0; period < 4; ++period) {
        const uint32_t hits = hits_of_cycle();
        EXPECT_GE(hits, many_frames - 4 - 3);  // the optimum: one less than the frames it has
        EXPECT_LT(hits, many_frames);
    }
    EXPECT_EQ(stats().prefetches, 0u);
}

}  // namespace
}  // namespace ciuic::test
