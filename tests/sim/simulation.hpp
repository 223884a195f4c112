// SPDX-License-Identifier: Apache-2.0
//
// Simulation: one run of the real engine in a simulated world, all of it from one seed.
//
//   run      programs work, faults strike, the clock jumps
//   finish   no new work, no new faults: everything under way must end
//   read     every program reads all it has
//   close    every session ends: no frame, place, job or request may remain
//
// Invariants are checked after every step; whatever breaks one ends the process.
// Threads: one.
#pragma once

#include "tests/sim/marks.hpp"
#include "tests/sim/parts.hpp"

#include <array>
#include <cstdint>

namespace ciuic::sim {

struct RunOptions {
    uint32_t steps = 0;  // 0: the seed decides
    bool traces = false;
};

struct RunReport {
    uint64_t trace_hash = 0;
    uint64_t operations = 0;
    uint64_t words_checked = 0;
    uint64_t losses = 0;   // chunks lost, each explained by an injected fault
    uint64_t expired = 0;  // waits that found no frame before their deadline
    std::array<uint64_t, faults> fault_counts{};
    MarkSet marks;
};

RunReport simulate(uint64_t seed, const RunOptions& options);

}  // namespace ciuic::sim
