// SPDX-License-Identifier: Apache-2.0
//
// ARC (Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003), figure
// 4: chunks used once and chunks used more often in two LRUs, whose sizes follow what comes back of
// each shortly after it left. The names of the lists and of the target are the paper's.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class Arc final : public CacheModel {
public:
    explicit Arc(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    void replace(bool was_in_b2);
    bool miss(uint32_t chunk);

    double capacity_;
    double p_ = 0;  // what T1 should have
    ChunkQueue t1_;
    ChunkQueue t2_;
    ChunkQueue b1_;  // numbers only
    ChunkQueue b2_;
};

}  // namespace ciuic::models
