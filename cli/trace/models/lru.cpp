// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/lru.hpp"

namespace ciuic::models {

Lru::Lru(uint32_t capacity_chunks) : capacity_(capacity_chunks) {}

bool Lru::use(uint32_t chunk) {
    const bool is_hit = queue_.remove(chunk);
    if (!is_hit && queue_.size() == capacity_) queue_.pop_back();
    queue_.push_front(chunk);
    return is_hit;
}

}  // namespace ciuic::models
