// SPDX-License-Identifier: Apache-2.0
//
// Poll window: how long a thread looks for its next event before it sleeps. A sleeping thread takes
// some 30 us to wake on an idle virtual processor, longer than a 64 KiB read's own share.
//
//   came within the window        it was worth it: the window stays
//   came a little later           a longer look would have seen it: the window doubles
//   came later than `longest`     looking was for nothing: no window
//
// A thread whose events are far apart thus does not poll at all.
//
// Not here: looking, and the clock.
// Threads: one.
#pragma once

#include "base/units.hpp"

#include <algorithm>

namespace ciuic {

class PollWindow {
public:
    // `shortest`: the first window after none. 0 < shortest <= longest.
    constexpr PollWindow(Nanos shortest, Nanos longest) : shortest_(shortest), longest_(longest) {}

    constexpr Nanos window() const { return window_; }

    // The event came so long after the thread began to look for it.
    constexpr void came_after(Nanos waited) {
        if (waited <= window_) return;
        if (waited <= longest_)
            window_ = {std::clamp(2 * window_.value, shortest_.value, longest_.value)};
        else
            window_ = {0};
    }

private:
    Nanos shortest_;
    Nanos longest_;
    Nanos window_{0};
};

}  // namespace ciuic
