// SPDX-License-Identifier: Apache-2.0
//
// How often each chunk was used of late, roughly: a count-min sketch of four rows of counters up to
// 15, of which a use raises the lowest (minimal increment). After ten uses per chunk of memory all
// are halved, so the past fades.
//
// Threads: one.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ciuic::models {

class FrequencySketch {
public:
    explicit FrequencySketch(uint32_t capacity_chunks);
    void add(uint32_t chunk);
    uint32_t count(uint32_t chunk) const;

private:
    static constexpr int rows = 4;
    size_t place(uint32_t chunk, int row) const;

    size_t width_;
    uint64_t uses_until_halved_;
    uint64_t uses_ = 0;
    std::vector<uint8_t> counters_;
};

}  // namespace ciuic::models
