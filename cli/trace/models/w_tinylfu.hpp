// SPDX-License-Identifier: Apache-2.0
//
// W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
// ACM Transactions on Storage, 2017): chunks enter a window, an LRU of a hundredth; what falls out
// of it enters the main part, an LRU in two segments (probation a fifth, protected the rest), only
// if it was used more often of late than what would go for it. How often is counted in a sketch
// that is halved after ten uses per chunk of memory.
//
// Followed: the paper, with the sizes of Caffeine, its authors' own. libCacheSim counts no use of
// a chunk in the window, counts each chunk that leaves the window once more, halves after 32 uses
// per chunk, takes from probation early where its segments do not add up to the main part, and in
// memories of less than a hundred chunks has no window and takes nothing in at all. Its hit ratios
// differ from these by up to 13 points in either direction; a copy with those rules gives them.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"
#include "cli/trace/models/frequency_sketch.hpp"

namespace ciuic::models {

class WTinyLfu final : public CacheModel {
public:
    explicit WTinyLfu(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    void leave_window();
    void promote(uint32_t chunk);

    uint32_t window_chunks_;
    uint32_t main_chunks_;
    uint32_t protected_chunks_;
    ChunkQueue window_;
    ChunkQueue probation_;
    ChunkQueue protected_;
    FrequencySketch sketch_;
};

}  // namespace ciuic::models
