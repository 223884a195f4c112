// SPDX-License-Identifier: Apache-2.0
//
// What Ciuic does where it sees every use: lib/policy/adaptive_eviction.hpp, and frames that
// follow it.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"
#include "policy/adaptive_eviction.hpp"

#include <vector>

namespace ciuic::models {

class Adaptive final : public CacheModel {
public:
    // Of the trace, only how many chunks there are is looked at.
    Adaptive(uint32_t capacity_chunks, Uses uses);
    bool use(uint32_t chunk) override;

private:
    uint32_t capacity_;
    uint32_t held_ = 0;
    std::vector<bool> holds_;  // by chunk
    std::vector<uint64_t> memory_;
    AdaptiveEviction eviction_;
};

}  // namespace ciuic::models
