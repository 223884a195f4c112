// SPDX-License-Identifier: Apache-2.0
//
// CLOCK (Corbató, "A Paging Experiment with the Multics System", 1968): a queue in the order of
// arrival; whoever was used since the hand last passed goes round once more.
//
// A chunk comes in unmarked: the use that brings it in is not counted as one since. libCacheSim
// does the same; with a mark from the start, the hand passes each chunk once for nothing.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class Clock final : public CacheModel {
public:
    explicit Clock(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    uint32_t capacity_;
    ChunkQueue queue_;
    PerChunk<uint8_t> was_used_;
};

}  // namespace ciuic::models
