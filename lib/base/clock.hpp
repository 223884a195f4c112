// SPDX-License-Identifier: Apache-2.0
//
// The only source of time. CLOCK_MONOTONIC in the product, a counter in tests and the simulator.
#pragma once

#include "base/units.hpp"

namespace ciuic {

class Clock {
public:
    virtual ~Clock() = default;
    virtual Nanos now() = 0;
};

class MonotonicClock final : public Clock {
public:
    Nanos now() override;
};

}  // namespace ciuic
