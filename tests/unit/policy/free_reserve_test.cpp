// SPDX-License-Identifier: Apache-2.0
//
// Goal: the reserve is whole while evictions write, half where they do not, and a few writes do not
// change that; what came back is made up for with the next frame. Method: scripts of evictions.
#include "policy/free_reserve.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

constexpr uint32_t most = 16;

void leave(FreeReserve& reserve, int count, bool written) {
    for (int done = 0; done < count; ++done) reserve.left(written);
}

TEST(FreeReserve, IsWholeUntilEvictionsWereSeenNotToWrite) {
    FreeReserve reserve;
    EXPECT_EQ(reserve.frames(most), 16u);
    leave(reserve, 32, false);
    EXPECT_EQ(reserve.frames(most), 16u);
    leave(reserve, 1, false);
    EXPECT_EQ(reserve.frames(most), 8u);
}

TEST(FreeReserve, IsWholeAgainAfterAFewWritesInARow) {
    FreeReserve reserve;
    leave(reserve, 100, false);
    leave(reserve, 3, true);
    EXPECT_EQ(reserve.frames(most), 8u);
    leave(reserve, 1, true);
    EXPECT_EQ(reserve.frames(most), 16u);
}

TEST(FreeReserve, StaysHalfWhereOneInSixteenWrites) {
    FreeReserve reserve;
    leave(reserve, 100, false);
    for (int round = 0; round < 100; ++round) {
        leave(reserve, 15, false);
        leave(reserve, 1, true);
        ASSERT_EQ(reserve.frames(most), 8u) << "round " << round;
    }
}

TEST(FreeReserve, StaysWholeWhereOneInFourWrites) {
    FreeReserve reserve;
    for (int round = 0; round < 100; ++round) {
        leave(reserve, 3, false);
        leave(reserve, 1, true);
        ASSERT_EQ(reserve.frames(most), 16u) << "round " << round;
    }
}

TEST(FreeReserve, FourAreNeverTooMany) {
    FreeReserve reserve;
    leave(reserve, 100, false);
    EXPECT_EQ(reserve.frames(6), 4u);
    EXPECT_EQ(reserve.frames(4), 4u);
    EXPECT_EQ(reserve.frames(2), 2u);
}

TEST(FreeReserve, WhatCameBackIsMadeUpForWhenTheNextFrameIsTaken) {
    FreeReserve reserve;
    reserve.came_back();
    EXPECT_EQ(reserve.frames(most), 15u);
    reserve.came_back();
    EXPECT_EQ(reserve.frames(most), 14u);
    reserve.taken();
    EXPECT_EQ(reserve.frames(most), 16u);
}

// Whoever wants a frame must find one, or one that is on its way.
TEST(FreeReserve, WhateverCameBackHalfIsKept) {
    FreeReserve reserve;
    for (int chunk = 0; chunk < 100; ++chunk) reserve.came_back();
    EXPECT_EQ(reserve.frames(most), 8u);
    EXPECT_EQ(reserve.frames(5), 3u);
    EXPECT_EQ(reserve.frames(1), 1u);
    leave(reserve, 100, false);
    EXPECT_EQ(reserve.frames(most), 4u);
}

}  // namespace
}  // namespace ciuic
