// SPDX-License-Identifier: Apache-2.0
//
// What an expert's directory reports. A directory is the set of chunks that a rule of eviction
// would hold if all the frames were its own: the rules are compared by what they would have had.
#pragma once

#include "base/check.hpp"
#include "base/units.hpp"

#include <array>
#include <span>

namespace ciuic {

// What one use did to a directory.
class DirectoryChange {
public:
    explicit DirectoryChange(bool hit) : hit_(hit) {}

    bool is_hit() const { return hit_; }  // the chunk was held before the use
    // Chunks that are not held any more.
    std::span<const ChunkIndex> left() const { return {left_.data(), count_}; }
    bool is_full() const { return count_ == left_.size(); }
    void leaves(ChunkIndex chunk) {
        CIUIC_CHECK(!is_full());
        left_[count_++] = chunk;
    }

private:
    bool hit_;
    uint32_t count_ = 0;
    // One makes room for the chunk, another lets a directory shrink to fewer frames.
    std::array<ChunkIndex, 2> left_;
};

}  // namespace ciuic
