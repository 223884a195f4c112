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
    EXPECT_EQ(reserve.frames(most), 5u);
}

// A session that has what it is guaranteed takes a frame only where more than a quarter of the
// reserve is free (engine/moves.cpp): with no more than that nobody would take one again, and
// nothing be made up for. Simulator seeds 2031437, 2048641 and 2051369.
TEST(FreeReserve, WhateverCameBackMoreThanAQuarterIsKept) {
    for (const bool writes : {true, false})
        for (uint32_t all = 1; all <= 64; ++all) {
            FreeReserve reserve;
            leave(reserve, 100, writes);
            for (int chunk = 0; chunk < 100; ++chunk) reserve.came_back();
            EXPECT_GT(reserve.frames(all), all / 4) << all << (writes ? " writes" : "");
        }
}

}  // namespace
}  // namespace ciuic
