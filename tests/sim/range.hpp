// SPDX-License-Identifier: Apache-2.0
//
// A range of seeds, run in several processes: a seed that fails ends its process, and the range
// goes on without it.
// Threads: one; starts processes.
#pragma once

#include "tests/sim/simulation.hpp"

#include <cstdint>

namespace ciuic::sim {

struct RangeOptions {
    uint64_t first = 1;
    uint64_t count = 1;
    uint32_t jobs = 1;
    RunOptions run;
    // Every mark must have been hit: only a large range can promise that.
    bool requires_marks = false;
};

// Prints failing seeds with how to replay them, then one line of sums. True: nothing failed.
bool run_range(const RangeOptions& options);

}  // namespace ciuic::sim
