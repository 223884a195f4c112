// SPDX-License-Identifier: Apache-2.0
//
// 2Q, the full version (Johnson and Shasha, "2Q: A Low Overhead High Performance Buffer Management
// Replacement Algorithm", VLDB 1994): what comes in passes through a FIFO of a quarter of the
// memory; what comes back while it is remembered, by half as many numbers as there are chunks, goes
// to an LRU.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class TwoQ final : public CacheModel {
public:
    explicit TwoQ(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    void make_room();

    uint32_t capacity_;
    uint32_t in_chunks_;   // Kin of the paper
    uint32_t out_chunks_;  // Kout
    ChunkQueue in_;
    ChunkQueue out_;  // numbers only
    ChunkQueue main_;
};

}  // namespace ciuic::models
