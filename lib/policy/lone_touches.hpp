// SPDX-License-Identifier: Apache-2.0
//
// Lone touches: whether the next missing chunk that is touched comes in as one block or whole.
//
// A program that goes through its chunks pays for a block first and for the chunk right after; one
// that touches them here and there pays thirty times too much for whole chunks. What came after the
// last few blocks tells which it is: more of the same chunk, or another one. While whole chunks
// come in, one in eight is tried as a block; fewer, down to one in 64, while that is always wrong.
//
// Not here: streams (stream_prefetch), which always bring whole chunks.
// Threads: one. Pure.
#pragma once

#include "base/units.hpp"

#include <algorithm>
#include <cstdint>

namespace ciuic {

class LoneTouches {
public:
    // Asked once for each chunk that is to come in.
    bool wants_block(ChunkIndex chunk) {
        if (began_ != none_index && began_ != chunk.value) {
            score_ = std::min(score_ + 1, score_max);
            began_ = none_index;
            tried_of_ = tried_of_min;
        }
        if (score_ > 0) return true;
        if (++misses_ < tried_of_) return false;
        misses_ = 0;
        return true;
    }

    // Most chunks are wanted as one block.
    bool is_lone() const { return score_ > 0; }

    // The chunk comes in as one block.
    void began(ChunkIndex chunk) { began_ = chunk.value; }

    // All of the chunk is wanted now.
    void needed_whole(ChunkIndex chunk) {
        if (began_ != chunk.value) return;
        if (score_ == -score_max) tried_of_ = std::min(2 * tried_of_, tried_of_max);
        score_ = std::max(score_ - 1, -score_max);
        began_ = none_index;
    }

private:
    static constexpr int32_t score_max = 4;
    static constexpr uint32_t tried_of_min = 8;
    static constexpr uint32_t tried_of_max = 64;

    int32_t score_ = score_max / 2;
    uint32_t tried_of_ = tried_of_min;
    uint32_t misses_ = 0;          // since the last that was tried
    uint32_t began_ = none_index;  // the last chunk that came in as a block, until it shows why
};

}  // namespace ciuic
