// SPDX-License-Identifier: Apache-2.0
//
// A clock that stands still until it is moved.
// Threads: one.
#pragma once

#include "base/clock.hpp"

namespace ciuic::sim {

class SimClock final : public Clock {
public:
    Nanos now() override { return now_; }
    void advance(Nanos by) { now_ = now_ + by; }

private:
    Nanos now_{1};  // zero stands for "not waiting" in chunk records
};

}  // namespace ciuic::sim
