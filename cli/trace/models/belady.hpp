// SPDX-License-Identifier: Apache-2.0
//
// MIN (Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems
// Journal, 1966): what is used again the latest goes. It knows the whole trace; no policy that has
// to take in what it misses hits more often.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/models/chunk_queue.hpp"

#include <set>
#include <utility>
#include <vector>

namespace ciuic::models {

class Belady final : public CacheModel {
public:
    // The uses have to come as they are in `uses`.
    Belady(uint32_t capacity_chunks, Uses uses);
    bool use(uint32_t chunk) override;

private:
    uint32_t capacity_;
    std::vector<uint32_t> next_;  // by position: the next of the same chunk, or the end
    std::set<std::pair<uint32_t, uint32_t>> here_;  // chunks by when they are used next
    uint32_t at_ = 0;
};

}  // namespace ciuic::models
