// SPDX-License-Identifier: Apache-2.0
//
// Goal: the hand proposes cold frames before warm ones, never what may not move, and a scan does
// not push out what is used again. Method: small frame arrays with known owners.
#include "policy/clock_eviction.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace ciuic {
namespace {

class ClockEvictionTest : public ::testing::Test {
protected:
    static constexpr uint32_t frames_count = 8;

    void SetUp() override {
        for (uint32_t frame = 0; frame < frames_count; ++frame)
            frames[frame] = {.owner = {SessionIndex{frame % 2}, ChunkIndex{frame}},
                             .held = true,
                             .movable = true};
    }

    // Arrivals elsewhere, so that nothing here is among the newest any more.
    void let_time_pass() {
        for (uint32_t step = 0; step < frames_count; ++step)
            policy.entered(FrameIndex{frames_count}, Entry::stream);
    }

    std::vector<uint32_t> choose(size_t wanted, const EvictionScope& scope = {frames_count}) {
        std::vector<FrameIndex> victims(wanted);
        victims.resize(policy.choose(frames, scope, victims));
        std::vector<uint32_t> numbers;
        numbers.reserve(victims.size());
        for (const FrameIndex frame : victims) numbers.push_back(frame.value);
        return numbers;
    }

    // The last frame is free; let_time_pass() uses it.
    std::array<Frame, frames_count + 1> frames{};
    std::array<FrameHeat, frames_count + 1> heat{};
    ClockEviction policy{heat};
};

TEST_F(ClockEvictionTest, ProposesEachMovableFrameOnce) {
    frames[3].movable = false;
    const auto victims = choose(frames_count);
    EXPECT_EQ(victims.size(), frames_count - 1);
    EXPECT_EQ(std::set(victims.begin(), victims.end()).size(), victims.size());
    EXPECT_EQ(std::count(victims.begin(), victims.end(), 3u), 0);
}

TEST_F(ClockEvictionTest, ProposesNothingWhenNothingMayMove) {
    for (Frame& frame : frames) frame.movable = false;
    EXPECT_TRUE(choose(4).empty());
}

TEST_F(ClockEvictionTest, TakesColdFramesBeforeWarmOnes) {
    policy.entered(FrameIndex{0}, Entry::refault);
    policy.entered(FrameIndex{1}, Entry::demand);
    policy.entered(FrameIndex{2}, Entry::ahead);
    let_time_pass();
    EXPECT_EQ(choose(6), (std::vector<uint32_t>{2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(choose(1), (std::vector<uint32_t>{1}));
}

TEST_F(ClockEvictionTest, ATouchKeepsAFrameLonger) {
    policy.entered(FrameIndex{0}, Entry::stream);
    policy.touched(FrameIndex{0});
    let_time_pass();
    EXPECT_EQ(choose(1), (std::vector<uint32_t>{1}));
}

TEST_F(ClockEvictionTest, TheNewestArrivalsStay) {
    policy.entered(FrameIndex{5}, Entry::stream);
    policy.entered(FrameIndex{2}, Entry::ahead);
    const auto victims = choose(frames_count);
    EXPECT_EQ(victims, (std::vector<uint32_t>{0, 1, 3, 4, 6, 7}));
    let_time_pass();
    EXPECT_EQ(choose(frames_count).size(), frames_count);
}

TEST_F(ClockEvictionTest, AFrameThatStaysForAnotherCountsAsThatOne) {
    policy.entered(FrameIndex{5}, Entry::demand);
    let_time_pass();
    ASSERT_EQ(choose(1), (std::vector<uint32_t>{0}));
    policy.stays_for(FrameIndex{0}, FrameIndex{5});
    EXPECT_EQ(choose(6), (std::vector<uint32_t>{1, 2, 3, 4, 6, 7})) << "0 is as warm as 5 was";
    EXPECT_EQ(choose(1), (std::vector<uint32_t>{1})) << "0 and 5 have cooled together";
}

// A session with few of many frames turns them over without anybody else's arrivals.
TEST_F(ClockEvictionTest, OfFewFramesOnlyAFewAreNew) {
    for (uint32_t frame = 1; frame < frames_count; frame += 2)
        policy.entered(FrameIndex{frame}, Entry::stream);
    EXPECT_EQ(choose(frames_count, {4, SessionIndex{1}}), (std::vector<uint32_t>{1, 3, 5}));
}

TEST_F(ClockEvictionTest, StaysWithinTheNamedSession) {
    EXPECT_EQ(choose(frames_count, {frames_count, SessionIndex{1}}),
              (std::vector<uint32_t>{1, 3, 5, 7}));
}

TEST_F(ClockEvictionTest, LeavesShelteredSessionsTheirFrames) {
    const std::array<uint8_t, 2> sheltered{0, 1};
    EXPECT_EQ(choose(frames_count, {frames_count, {}, sheltered}),
              (std::vector<uint32_t>{0, 2, 4, 6}));
    EXPECT_EQ(choose(frames_count, {frames_count, SessionIndex{1}, sheltered}),
              (std::vector<uint32_t>{1, 3, 5, 7}))
        << "a session may always be asked for its own";
}

// A loop over 4 hot chunks with a long scan through the other 4 frames: the scan only ever takes
// the scan's frames.
TEST_F(ClockEvictionTest, AScanPassesWithoutPushingOutWhatIsUsedAgain) {
    for (uint32_t frame = 0; frame < 4; ++frame) policy.entered(FrameIndex{frame}, Entry::refault);
    for (uint32_t frame = 4; frame < frames_count; ++frame)
        policy.entered(FrameIndex{frame}, Entry::stream);
    for (uint32_t step = 0; step < 100; ++step) {
        const auto victims = choose(1);
        ASSERT_EQ(victims.size(), 1u);
        ASSERT_GE(victims[0], 4u) << "step " << step;
        policy.entered(FrameIndex{victims[0]}, Entry::stream);
        for (uint32_t frame = 0; frame < 4; ++frame) policy.touched(FrameIndex{frame});
    }
}

}  // namespace
}  // namespace ciuic
