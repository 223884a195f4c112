// SPDX-License-Identifier: Apache-2.0
//
// LIRS (Jiang and Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy",
// SIGMETRICS 2002): what is used again soon after its last use stays (LIR); the rest (HIR) passes
// through a queue of a hundredth of the memory. The stack S and the queue Q are the paper's.
//
// The paper does not bound the stack; here it has at most twice as many entries as there are
// chunks, and what left the memory first is forgotten first, as in libCacheSim. That differs from
// the paper where a chunk is used that is in Q alone: libCacheSim then makes the last LIR an HIR,
// the paper leaves all as they are, which is followed here.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

namespace ciuic::models {

class Lirs final : public CacheModel {
public:
    explicit Lirs(uint32_t capacity_chunks);
    bool use(uint32_t chunk) override;

private:
    enum class Kind : uint8_t { gone, lir, hir, hir_elsewhere };  // the last: a number in S alone

    bool use_hir(uint32_t chunk);
    void miss(uint32_t chunk);
    void become_lir(uint32_t chunk);
    void evict();
    void prune();
    void bound_stack();

    uint32_t capacity_;
    uint32_t lir_chunks_;  // at most
    uint32_t lirs_ = 0;
    ChunkQueue s_;
    ChunkQueue q_;
    ChunkQueue elsewhere_;  // in the order in which they left
    PerChunk<Kind> kind_;
};

}  // namespace ciuic::models
