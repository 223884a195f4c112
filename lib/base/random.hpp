// SPDX-License-Identifier: Apache-2.0
//
// Seeded randomness: the only source of it in tests, benchmarks and the simulator. The generator
// is xoshiro256** seeded by splitmix64 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number
// Generators", 2018): the same sequence on every machine, which std::uniform_int_distribution is
// not.
#pragma once

#include <bit>
#include <cstdint>

namespace ciuic {

class Random {
public:
    explicit constexpr Random(uint64_t seed) {
        for (uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15u;
            uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
            word = mixed ^ (mixed >> 31);
        }
    }

    constexpr uint64_t next() {
        const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    // Uniform in [0, bound); bound > 0. The bias of the multiply-shift is below bound / 2^64.
    constexpr uint64_t below(uint64_t bound) {
        return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
    }

    // True in `numerator` of `denominator` calls.
    constexpr bool chance(uint64_t numerator, uint64_t denominator) {
        return below(denominator) < numerator;
    }

private:
    uint64_t state_[4]{};
};

}  // namespace ciuic
