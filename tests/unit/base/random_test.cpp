// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ciuic {
namespace {

// Goal: a seed names the same run for ever: published seeds of failures must keep working.
// Method: the first numbers of seed 1, computed from the reference description of the generator.
TEST(Random, SequenceOfASeedNeverChanges) {
    Random random(1);
    const std::array<uint64_t, 4> wanted = {0xb3f2af6d0fc710c5u, 0x853b559647364ceau,
                                            0x92f89756082a4514u, 0x642e1c7bc266a3a7u};
    for (const uint64_t number : wanted) EXPECT_EQ(random.next(), number);
}

// Goal: below() stays below its bound and reaches all of it. Method: small bounds, each of whose
// values must come about equally often (the chance of a value straying by half is below 1e-50).
TEST(Random, BelowReachesEveryValueEvenly) {
    Random random(2);
    for (const uint64_t bound : {1u, 2u, 3u, 7u}) {
        std::array<int, 7> seen{};
        for (int draw = 0; draw < 7000; ++draw) {
            const uint64_t number = random.below(bound);
            ASSERT_LT(number, bound);
            ++seen[number];
        }
        for (uint64_t value = 0; value < bound; ++value)
            EXPECT_NEAR(seen[value], 7000.0 / static_cast<double>(bound), 500) << bound;
    }
}

// Goal: different seeds give different runs, small and neighbouring ones too. Method: compare the
// first numbers of the first thousand seeds with one another.
TEST(Random, SeedsDiffer) {
    for (uint64_t seed = 0; seed < 1000; ++seed)
        ASSERT_NE(Random(seed).next(), Random(seed + 1).next()) << seed;
}

}  // namespace
}  // namespace ciuic
