// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/clock.hpp"

namespace ciuic::models {

Clock::Clock(uint32_t capacity_chunks) : capacity_(capacity_chunks) {}

bool Clock::use(uint32_t chunk) {
    if (queue_.contains(chunk)) {
        was_used_[chunk] = 1;
        return true;
    }
    if (queue_.size() == capacity_) {
        while (was_used_[queue_.back()] != 0) {
            was_used_[queue_.back()] = 0;
            queue_.move_to_front(queue_.back());
        }
        queue_.pop_back();
    }
    queue_.push_front(chunk);
    was_used_[chunk] = 0;
    return false;
}

}  // namespace ciuic::models
