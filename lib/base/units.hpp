// SPDX-License-Identifier: Apache-2.0
//
// Distinct types for the numbers that must not be mixed up. Byte counts stay uint64_t with the
// suffix `_bytes`: they meet system calls everywhere.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace ciuic {

template <typename Tag, typename Rep> struct Number {
    Rep value = 0;

    constexpr Number() = default;
    constexpr explicit Number(Rep raw) : value(raw) {}
    constexpr auto operator<=>(const Number&) const = default;
    constexpr Number& operator++() {
        ++value;
        return *this;
    }
};

using ChunkIndex = Number<struct ChunkIndexTag, uint32_t>;      // within one session's table
using FrameIndex = Number<struct FrameIndexTag, uint32_t>;      // within one device's frames
using SessionIndex = Number<struct SessionIndexTag, uint32_t>;  // within one engine
using PieceIndex = Number<struct PieceIndexTag, uint32_t>;      // within one device's pieces
using MoveIndex = Number<struct MoveIndexTag, uint32_t>;        // within one engine

// Nanoseconds on the engine's monotonic clock (clock.hpp).
struct Nanos {
    int64_t value = 0;
    constexpr auto operator<=>(const Nanos&) const = default;
    constexpr Nanos operator+(Nanos other) const { return {value + other.value}; }
    constexpr Nanos operator-(Nanos other) const { return {value - other.value}; }
};

inline constexpr uint64_t KiB = 1024;
inline constexpr uint64_t MiB = 1024 * KiB;
inline constexpr uint64_t GiB = 1024 * MiB;

constexpr bool is_power_of_two(uint64_t number) { return number && !(number & (number - 1)); }

constexpr uint64_t round_up(uint64_t number, uint64_t power_of_two) {
    return (number + power_of_two - 1) & ~(power_of_two - 1);
}

// The index that stands for "none" in records and lists.
inline constexpr uint32_t none_index = 0xffffffffu;

// One chunk of one session: the engine's name for a chunk.
struct ChunkRef {
    SessionIndex session;
    ChunkIndex chunk;
    constexpr auto operator<=>(const ChunkRef&) const = default;
};

}  // namespace ciuic
