// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <ctime>

namespace ciuic {

Nanos MonotonicClock::now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return {static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec};
}

}  // namespace ciuic
