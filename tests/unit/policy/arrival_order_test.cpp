// SPDX-License-Identifier: Apache-2.0
//
// Goal: the newest that had its time is found, among one session's frames alone. Method: small
// arrays with known arrivals, and a random run beside a plain vector.
#include "policy/arrival_order.hpp"

#include "base/random.hpp"
#include "limits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace ciuic {
namespace {

class ArrivalOrderTest : public ::testing::Test {
protected:
    static constexpr uint32_t frames_count = 8;

    void SetUp() override {
        for (Frame& frame : frames) frame.movable = true;
    }
    void arrive(std::initializer_list<uint32_t> numbers) {
        for (const uint32_t number : numbers) order.arrived(list, FrameIndex{number});
    }
    uint32_t newest_beyond(uint32_t spared) {
        return order.newest_beyond(list, spared, frames).value_or(FrameIndex{none_index}).value;
    }

    std::array<Frame, frames_count> frames{};
    std::array<ArrivalLink, frames_count> links{};
    ArrivalOrder order{links};
    ArrivalList list;
};

TEST_F(ArrivalOrderTest, FindsTheNewestButForTheFirstFew) {
    EXPECT_EQ(newest_beyond(0), none_index);
    arrive({3, 1, 4, 5});
    EXPECT_EQ(newest_beyond(0), 5u);
    EXPECT_EQ(newest_beyond(2), 1u);
    EXPECT_EQ(newest_beyond(4), none_index);
}

TEST_F(ArrivalOrderTest, ATouchMakesAFrameNew) {
    arrive({3, 1, 4, 3});
    EXPECT_EQ(newest_beyond(0), 3u);
    EXPECT_EQ(newest_beyond(2), 1u);
    EXPECT_EQ(list.frames, 3u);
}

TEST_F(ArrivalOrderTest, WhatLeftIsNotFound) {
    arrive({3, 1, 4});
    for (const uint32_t gone : {1u, 4u, 3u}) {
        order.left(list, FrameIndex{gone});
        order.left(list, FrameIndex{gone});
        EXPECT_NE(newest_beyond(0), gone);
    }
    EXPECT_EQ(list.frames, 0u);
    EXPECT_EQ(newest_beyond(0), none_index);
}

TEST_F(ArrivalOrderTest, PassesOverWhatMayNotMove) {
    arrive({3, 1, 4, 5});
    frames[4].movable = frames[5].movable = false;
    EXPECT_EQ(newest_beyond(1), 1u);
    EXPECT_EQ(newest_beyond(3), 3u) << "it is spared as others are";
}

// A stream that runs ahead of its program would evict what it has just brought in.
TEST_F(ArrivalOrderTest, WhatWasNotTouchedYetIsNeitherTakenNorCounted) {
    arrive({3, 1});
    order.arrived(list, FrameIndex{4}, true);
    order.arrived(list, FrameIndex{5}, true);
    EXPECT_EQ(newest_beyond(0), 1u);
    EXPECT_EQ(newest_beyond(1), 3u);
    arrive({4});
    EXPECT_EQ(newest_beyond(0), 4u);
}

TEST_F(ArrivalOrderTest, SessionsHaveListsOfTheirOwn) {
    ArrivalList other;
    arrive({3, 1});
    order.arrived(other, FrameIndex{2});
    EXPECT_EQ(newest_beyond(0), 1u);
    EXPECT_EQ(order.newest_beyond(other, 0, frames), FrameIndex{2});
}

TEST(ArrivalOrder, LooksOnlySoDeep) {
    std::vector<Frame> frames(limits::arrivals_looked_at + 1);
    std::vector<ArrivalLink> links(frames.size());
    ArrivalOrder order(links);
    ArrivalList list;
    for (uint32_t frame = 0; frame < frames.size(); ++frame) order.arrived(list, FrameIndex{frame});
    frames[0].movable = true;
    EXPECT_EQ(order.newest_beyond(list, 0, frames), std::nullopt);
    frames[1].movable = true;
    EXPECT_EQ(order.newest_beyond(list, 0, frames), FrameIndex{1});
}

TEST_F(ArrivalOrderTest, KeepsTheOrderOfAPlainList) {
    std::vector<uint32_t> plain;  // newest last
    Random random(1);
    for (uint32_t step = 0; step < 10'000; ++step) {
        const auto frame = static_cast<uint32_t>(random.below(frames_count));
        std::erase(plain, frame);
        if (random.chance(2, 3)) {
            order.arrived(list, FrameIndex{frame});
            plain.push_back(frame);
        } else {
            order.left(list, FrameIndex{frame});
        }
        ASSERT_EQ(list.frames, plain.size());
        for (uint32_t spared = 0; spared <= frames_count; ++spared)
            ASSERT_EQ(newest_beyond(spared),
                      spared < plain.size() ? plain[plain.size() - 1 - spared] : none_index);
    }
}

}  // namespace
}  // namespace ciuic
