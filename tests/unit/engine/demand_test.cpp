// SPDX-License-Identifier: Apache-2.0
//
// Goal: a wait for a frame ends: served, or refused loudly after the deadline.
// Method: all frames pinned, then time moved by hand.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

class DemandTest : public EngineRig {
protected:
    void SetUp() override {
        promise(0, chunks);
        for (uint32_t chunk = 0; chunk < frames; ++chunk) {
            pins[chunk] = SharedWords::pin_one;
            put(chunk, 1);
        }
        ASSERT_EQ(engine.frames_free(), 0u);
    }
};

TEST_F(DemandTest, AWaitThatNothingCanServeIsRefusedAtTheDeadline) {
    device.touch(20);
    settle();
    clock.advance(limits::frame_deadline - Nanos{1});
    settle();
    EXPECT_FALSE(device.called("poison 20"));
    clock.advance({1});
    settle();
    EXPECT_TRUE(device.called("poison 20"));
    EXPECT_EQ(stats().waits_expired, 1u);
    EXPECT_EQ(stats().stall_ns, static_cast<uint64_t>(limits::frame_deadline.value));
}

TEST_F(DemandTest, AWaitIsServedAsSoonAsAFrameCanBeHad) {
    device.touch(20);
    settle();
    EXPECT_EQ(state(20), ChunkState::empty);
    pins[3] = 0;
    for (int turn = 0; turn < 4; ++turn) settle();  // as many as there are rounds of proposals
    EXPECT_EQ(state(20), ChunkState::resident);
    EXPECT_EQ(state(3), ChunkState::stored);
}

// Goal: a touch that the device cannot make fail never waits in silence: whoever keeps the sessions
// hears of it, and a program that is gone is not spoken of. Method: both refusals of poison().
TEST_F(DemandTest, ATouchThatCannotFailIsUnanswerable) {
    const auto refuse_a_touch = [&](uint32_t chunk, Errc code) {
        device.poison_result = Error{code, 0, "scripted"};
        device.touch(chunk);
        settle();
        clock.advance(limits::frame_deadline);
        settle();
        EXPECT_TRUE(device.called("poison " + std::to_string(chunk)));
    };
    refuse_a_touch(20, Errc::disconnected);
    EXPECT_TRUE(unanswerable_sessions.empty());
    refuse_a_touch(21, Errc::unsupported);
    EXPECT_EQ(unanswerable_sessions, std::vector{session});
}

TEST_F(DemandTest, AChunkDiscardedWhileItIsWaitedForIsRefused) {
    device.touch(20);
    settle();
    request(RequestKind::discard, 20, 1, 1);
    pins[3] = 0;
    settle();
    EXPECT_EQ(state(20), ChunkState::vacant);
    EXPECT_TRUE(device.called("poison 20"));
}

}  // namespace
}  // namespace ciuic::test
