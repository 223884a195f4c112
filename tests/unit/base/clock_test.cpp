// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace ciuic {
namespace {

// Goal: the clock counts CLOCK_MONOTONIC in nanoseconds. Method: it lies between two readings of
// the system's own, computed here.
TEST(MonotonicClock, LiesBetweenTwoSystemReadings) {
    const auto system_now = [] {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return Nanos{int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
    };
    MonotonicClock clock;
    for (int round = 0; round < 1000; ++round) {
        const Nanos before = system_now();
        const Nanos now = clock.now();
        EXPECT_LE(before, now);
        EXPECT_LE(now, system_now());
    }
}

}  // namespace
}  // namespace ciuic
