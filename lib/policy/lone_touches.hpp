// SPDX-License-Identifier: Apache-2.0
//
// Lone touches: whether the next missing chunk that is touched comes in as one block or whole.
//
// A program that goes through its chunks pays for a block first and for the chunk right after; one
// that touches them here and there pays thirty times too much for whole chunks. What became of the
// last few blocks tells which it is; while whole chunks come in, one in eight is tried as a block.
//
// Not here: streams (stream_prefetch), which always bring whole chunks.
// Threads: one. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ciuic {

class LoneTouches {
public:
    // Asked once for each chunk that is to come in.
    bool wants_block() { return score_ > 0 || ++misses_ % tried_of == 0; }

    // A chunk that began as a block was needed whole; had left before it was.
    void needed_whole() { score_ = std::max(score_ - 1, -score_max); }
    void stayed_lone() { score_ = std::min(score_ + 1, score_max); }

private:
    static constexpr int32_t score_max = 4;
    static constexpr uint32_t tried_of = 8;

    int32_t score_ = score_max / 2;
    uint32_t misses_ = 0;
};

}  // namespace ciuic
