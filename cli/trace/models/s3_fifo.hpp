// SPDX-License-Identifier: Apache-2.0
//
// S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023): a small FIFO
// of a tenth that chunks used more than once leave for the main one, and a memory of as many
// numbers as the main queue has chunks, whose chunks come back into the main one.
//
// Where a chunk moves to a main queue that is full, the paper's listing makes room there at once
// and goes on to evict from the small queue as well, which leaves a place empty. libCacheSim, by
// the same authors, lets the main queue be larger until the next eviction, which is followed here.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class S3Fifo final : public CacheModel {
public:
    explicit S3Fifo(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    void evict();
    void evict_small();
    void evict_main();

    uint32_t capacity_;
    uint32_t small_chunks_;
    ChunkQueue small_;
    ChunkQueue main_;
    ChunkQueue ghost_;        // numbers only
    PerChunk<uint8_t> uses_;  // since it came into its queue, at most 3
};

}  // namespace ciuic::models
