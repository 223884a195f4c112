// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/sieve.hpp"

namespace ciuic::models {

Sieve::Sieve(uint32_t capacity_chunks) : capacity_(capacity_chunks) {}

bool Sieve::use(uint32_t chunk) {
    if (queue_.contains(chunk)) {
        was_used_[chunk] = 1;
        return true;
    }
    if (queue_.size() == capacity_) evict();
    queue_.push_front(chunk);
    was_used_[chunk] = 0;
    return false;
}

void Sieve::evict() {
    uint32_t victim = hand_ == none_index ? queue_.back() : hand_;
    while (was_used_[victim] != 0) {
        was_used_[victim] = 0;
        victim = queue_.towards_front(victim);
        if (victim == none_index) victim = queue_.back();
    }
    hand_ = queue_.towards_front(victim);
    queue_.remove(victim);
}

}  // namespace ciuic::models
