// SPDX-License-Identifier: Apache-2.0
//
// A clock that moves only when told to.
#pragma once

#include "base/clock.hpp"

namespace ciuic::test {

class ManualClock final : public Clock {
public:
    Nanos now() override { return now_; }
    void advance(Nanos by) { now_ = now_ + by; }

private:
    Nanos now_{1'000'000'000};
};

}  // namespace ciuic::test
