// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/frequency_sketch.hpp"

#include <algorithm>

namespace ciuic::models {
namespace {

constexpr uint8_t most = 15;              // four bits, as in Caffeine
constexpr uint64_t uses_per_chunk = 10;   // likewise
constexpr size_t counters_per_chunk = 4;  // and row
constexpr size_t width_min = 64;

}  // namespace

FrequencySketch::FrequencySketch(uint32_t capacity_chunks)
    : width_(std::bit_ceil(std::max(width_min, counters_per_chunk * capacity_chunks))),
      uses_until_halved_(uses_per_chunk * capacity_chunks), counters_(rows * width_) {}

size_t FrequencySketch::place(uint32_t chunk, int row) const {
    uint64_t mixed =
        (chunk + 1) * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(row) * 0xd6e8feb86659fd93u;
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93u;
    mixed ^= mixed >> 32;
    return static_cast<size_t>(row) * width_ + (mixed & (width_ - 1));
}

uint32_t FrequencySketch::count(uint32_t chunk) const {
    uint8_t least = most;
    for (int row = 0; row < rows; ++row) least = std::min(least, counters_[place(chunk, row)]);
    return least;
}

void FrequencySketch::add(uint32_t chunk) {
    const uint32_t now = count(chunk);
    for (int row = 0; row < rows; ++row) {
        uint8_t& counter = counters_[place(chunk, row)];
        if (counter == now && counter < most) ++counter;
    }
    if (++uses_ < uses_until_halved_) return;
    for (uint8_t& counter : counters_) counter /= 2;
    uses_ /= 2;
}

}  // namespace ciuic::models
