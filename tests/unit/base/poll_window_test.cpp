// SPDX-License-Identifier: Apache-2.0
#include "base/poll_window.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

constexpr Nanos shortest{25'000};
constexpr Nanos longest{200'000};

PollWindow widest() {
    PollWindow window(shortest, longest);
    while (window.window() < longest) window.came_after(window.window() + Nanos{1});
    return window;
}

// Goal: nobody polls without a reason. Method: a new window, and one that was wide before its
// events came late.
TEST(PollWindow, StartsWithNone) { EXPECT_EQ(PollWindow(shortest, longest).window(), Nanos{0}); }

TEST(PollWindow, ALateEventLeavesNone) {
    PollWindow window = widest();
    window.came_after(longest + Nanos{1});
    EXPECT_EQ(window.window(), Nanos{0});
    window.came_after(Nanos{1'000'000'000});
    EXPECT_EQ(window.window(), Nanos{0});
}

// Goal: events that come soon are met awake. Method: events at one distance; from some point on the
// window must hold them, and stay.
TEST(PollWindow, GrowsUntilItHoldsWhatComesSoon) {
    PollWindow window(shortest, longest);
    const Nanos apart{90'000};
    for (int event = 0; event < 3; ++event) window.came_after(apart);
    const Nanos grown = window.window();
    EXPECT_GE(grown, apart);
    EXPECT_LE(grown, longest);
    window.came_after(apart);
    EXPECT_EQ(window.window(), grown);
}

TEST(PollWindow, NeverExceedsTheLongest) {
    PollWindow window(shortest, longest);
    for (int event = 0; event < 20; ++event) window.came_after(longest);
    EXPECT_EQ(window.window(), longest);
}

}  // namespace
}  // namespace ciuic
