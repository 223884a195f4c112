// SPDX-License-Identifier: Apache-2.0
//
// LRU: the least recently used goes.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class Lru final : public CacheModel {
public:
    explicit Lru(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    uint32_t capacity_;
    ChunkQueue queue_;
};

}  // namespace ciuic::models
