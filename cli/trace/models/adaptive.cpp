// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/adaptive.hpp"

#include <algorithm>

namespace ciuic::models {

Adaptive::Adaptive(uint32_t capacity_chunks, Uses uses)
    : capacity_(capacity_chunks), holds_(uses.empty() ? 1 : *std::ranges::max_element(uses) + 1),
      memory_(AdaptiveEviction::memory_bytes(static_cast<uint32_t>(holds_.size()), capacity_) / 8 +
              1),
      eviction_(std::as_writable_bytes(std::span(memory_)), static_cast<uint32_t>(holds_.size()),
                capacity_) {}

bool Adaptive::use(uint32_t chunk) {
    eviction_.used(ChunkIndex{chunk}, capacity_);
    if (holds_[chunk]) return true;
    if (held_ == capacity_) {
        const auto victim = eviction_.victim();
        CIUIC_CHECK(victim && holds_[victim->value]);
        holds_[victim->value] = false;
        eviction_.left(*victim);
        --held_;
    }
    holds_[chunk] = true;
    ++held_;
    eviction_.entered(ChunkIndex{chunk});
    return false;
}

}  // namespace ciuic::models
