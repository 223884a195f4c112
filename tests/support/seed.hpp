// SPDX-License-Identifier: Apache-2.0
//
// The seed of a random test: CIUIC_SEED if set, so that a red run can be repeated, else a new one.
// Print it with SCOPED_TRACE(seed_text(seed)).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace ciuic::test {

inline uint64_t random_seed() {
    if (const char* given = std::getenv("CIUIC_SEED")) return std::strtoull(given, nullptr, 0);
    return std::random_device{}();
}

inline std::string seed_text(uint64_t seed) {
    return "repeat with CIUIC_SEED=" + std::to_string(seed);
}

}  // namespace ciuic::test
