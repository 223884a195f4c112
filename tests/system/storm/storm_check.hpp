// SPDX-License-Identifier: Apache-2.0
//
// What must hold in and after a storm of any length.
#pragma once

#include "base/units.hpp"

#include <cstdint>

namespace ciuic::test {

struct StormBounds {
    const char* frames = "memfd";
    uint32_t kills = 0;
    Nanos survivors_wait_max;  // generous where the machine is not ours alone
};

// Runs a storm against a daemon of its own and expects: no wrong byte, every death noticed, nothing
// leaked. Prints what it measured. CIUIC_SEED repeats a storm.
void check_storm(const StormBounds& bounds);

}  // namespace ciuic::test
