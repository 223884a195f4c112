// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/s3_fifo.hpp"

#include <algorithm>

namespace ciuic::models {
namespace {

constexpr uint8_t most_uses = 3;        // two bits
constexpr uint8_t uses_to_move_on = 2;  // "more than 1"

}  // namespace

S3Fifo::S3Fifo(uint32_t capacity_chunks)
    : capacity_(capacity_chunks), small_chunks_(std::max(1u, capacity_chunks / 10)) {}

bool S3Fifo::use(uint32_t chunk) {
    if (small_.contains(chunk) || main_.contains(chunk)) {
        uses_[chunk] = std::min<uint8_t>(most_uses, static_cast<uint8_t>(uses_[chunk] + 1));
        return true;
    }
    // Before room is made, which may forget the oldest number.
    const bool came_back = ghost_.remove(chunk);
    while (small_.size() + main_.size() == capacity_) evict();
    (came_back ? main_ : small_).push_front(chunk);
    uses_[chunk] = 0;
    return false;
}

void S3Fifo::evict() {
    if (main_.size() > capacity_ - small_chunks_ || small_.empty())
        evict_main();
    else
        evict_small();
}

void S3Fifo::evict_small() {
    while (!small_.empty()) {
        const uint32_t chunk = small_.pop_back();
        if (uses_[chunk] >= uses_to_move_on) {
            main_.push_front(chunk);
            uses_[chunk] = 0;
            continue;
        }
        ghost_.push_front(chunk);
        if (ghost_.size() > capacity_ - small_chunks_) ghost_.pop_back();
        return;
    }
}

void S3Fifo::evict_main() {
    for (;;) {
        const uint32_t chunk = main_.pop_back();
        if (uses_[chunk] == 0) return;
        --uses_[chunk];
        main_.push_front(chunk);
    }
}

}  // namespace ciuic::models
