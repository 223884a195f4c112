// SPDX-License-Identifier: Apache-2.0
//
// Goal: the window holds what those who wait need, is no larger, and there is none where the
// frames do not hold it. Method: scripts of how many wait.
#include "policy/newest_window.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

TEST(NewestWindow, HoldsFourForEachThatWaitsAndFourMore) {
    NewestWindow window;
    EXPECT_EQ(window.spared(1000), 8u);
    window.awaited(1);
    EXPECT_EQ(window.spared(1000), 8u);
    window.awaited(5);
    EXPECT_EQ(window.spared(1000), 24u);
}

TEST(NewestWindow, IsAQuarterOfTheFramesAtMost) {
    NewestWindow window;
    EXPECT_EQ(window.spared(24), 6u);
    EXPECT_EQ(window.spared(16), 4u);
}

TEST(NewestWindow, NothingMayGoWhereTheFramesDoNotHoldIt) {
    NewestWindow window;
    EXPECT_EQ(window.spared(15), std::nullopt);
    window.awaited(4);
    EXPECT_EQ(window.spared(63), std::nullopt);
    EXPECT_EQ(window.spared(64), 16u);
}

TEST(NewestWindow, ThoseWhoWaitedAreForgottenSlowly) {
    NewestWindow window;
    window.awaited(3);
    for (int call = 0; call < 63; ++call) window.awaited(1);
    EXPECT_EQ(window.spared(1000), 16u);
    window.awaited(1);
    EXPECT_EQ(window.spared(1000), 12u);
    window.awaited(2);
    for (int call = 0; call < 63; ++call) window.awaited(1);
    EXPECT_EQ(window.spared(1000), 12u) << "two have waited together again";
    window.awaited(1);
    EXPECT_EQ(window.spared(1000), 8u);
}

}  // namespace
}  // namespace ciuic
