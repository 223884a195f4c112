// SPDX-License-Identifier: Apache-2.0
//
// SIEVE (Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web
// Caches", NSDI 2024): CLOCK whose hand goes on inside the queue, so that what was spared stays
// where it is.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class Sieve final : public CacheModel {
public:
    explicit Sieve(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    void evict();

    uint32_t capacity_;
    ChunkQueue queue_;
    PerChunk<uint8_t> was_used_;
    uint32_t hand_ = none_index;  // none: at the back
};

}  // namespace ciuic::models
