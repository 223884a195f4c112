// SPDX-License-Identifier: Apache-2.0
//
// Simulated seconds. Threads: any.
#pragma once

#include "base/units.hpp"

namespace ciuic::sim {

constexpr Nanos nanos_of(double seconds) { return {static_cast<int64_t>(seconds * 1e9 + 0.5)}; }
constexpr double seconds_of(Nanos time) { return static_cast<double>(time.value) * 1e-9; }

}  // namespace ciuic::sim
