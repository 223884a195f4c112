// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulation.hpp"

#include <gtest/gtest.h>

namespace ciuic::sim {
namespace {

// Goal: a seed is one history; what failed once fails again. Method: run the same seeds twice in
// one process, where addresses and allocations differ between the runs, and compare the traces.
TEST(Simulation, SameSeedGivesSameTrace) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE(seed);
        const RunReport first = simulate(seed, {});
        const RunReport second = simulate(seed, {});
        EXPECT_EQ(first.trace_hash, second.trace_hash);
        EXPECT_EQ(first.words_checked, second.words_checked);
    }
}

// Goal: the seed decides, not only the shape of the run but its events. Method: neighbouring seeds
// must differ.
TEST(Simulation, DifferentSeedsGiveDifferentTraces) {
    uint64_t previous = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        const uint64_t hash = simulate(seed, {}).trace_hash;
        EXPECT_NE(hash, previous) << seed;
        previous = hash;
    }
}

// Goal: the programs really use memory and the faults really strike; a run of nothing would pass
// every check. Method: sum up a few dozen seeds.
TEST(Simulation, RunsDoSomething) {
    uint64_t words = 0;
    uint64_t injected = 0;
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        const RunReport report = simulate(seed, {});
        EXPECT_GT(report.operations, 0u) << seed;
        words += report.words_checked;
        for (const uint64_t count : report.fault_counts) injected += count;
    }
    EXPECT_GT(words, 100'000u);
    EXPECT_GT(injected, 1'000u);
}

}  // namespace
}  // namespace ciuic::sim
