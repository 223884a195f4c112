// SPDX-License-Identifier: Apache-2.0
#include "policy/order_prefetch.hpp"

#include <algorithm>

namespace ciuic {

std::span<Use> OrderPrefetch::uses_in(std::span<std::byte> memory, uint32_t chunks) {
    CIUIC_CHECK(memory.size() >= memory_bytes(chunks));
    return {reinterpret_cast<Use*>(memory.data()), uses(chunks)};
}

std::span<uint32_t> OrderPrefetch::last_in(std::span<std::byte> memory, uint32_t chunks) {
    return {reinterpret_cast<uint32_t*>(memory.data() + uses(chunks) * sizeof(Use)), chunks};
}

OrderPrefetch::OrderPrefetch(std::span<std::byte> memory, uint32_t chunks, uint32_t depth_max)
    : log_(uses_in(memory, chunks), last_in(memory, chunks)), learner_(log_),
      depth_max_(std::min<uint32_t>(depth_max, limits::prefetch_chunks_max)) {}

// The place in the order has changed, or there was none.
void OrderPrefetch::start_again() {
    next_ = learner_.at() + 1;
    ahead_count_ = 0;
}

void OrderPrefetch::touched(ChunkIndex chunk) {
    const uint32_t before = learner_.is_following() ? learner_.at() : 0;
    const bool came_true = learner_.used(chunk).came_true;
    log_.append(chunk);
    waits_ = false;
    if (!learner_.is_following()) {
        ahead_count_ = 0;
        return;
    }
    if (came_true) {
        depth_ = std::min(2 * depth_, depth_max_);
    } else if (learner_.at() != before) {
        start_again();
    }
    // What the program is past is not ahead any more, used or not.
    const auto is_past = [this](uint32_t position) {
        return static_cast<int32_t>(position - learner_.at()) <= 0;
    };
    const auto still = std::remove_if(ahead_.begin(), ahead_.begin() + ahead_count_, is_past);
    ahead_count_ = static_cast<uint32_t>(still - ahead_.begin());
    if (is_past(next_)) next_ = learner_.at() + 1;
}

// Its place among those that are ahead; their number where it is not.
uint32_t OrderPrefetch::find_ahead(ChunkIndex chunk) const {
    uint32_t index = 0;
    while (index < ahead_count_ && log_.at(ahead_[index]).chunk != chunk.value) ++index;
    return index;
}

void OrderPrefetch::wasted(ChunkIndex chunk) {
    const uint32_t index = find_ahead(chunk);
    if (index == ahead_count_) return;
    depth_ = std::max(1u, depth_ / 2);
    // It has to be brought again, but there is no room for it before the program goes on.
    waits_ = true;
    next_ = ahead_[index];
    ahead_count_ = index;
}

std::optional<ChunkIndex> OrderPrefetch::proposal() const {
    if (!is_leading() || waits_ || ahead_count_ >= depth_) return std::nullopt;
    if (!log_.holds(next_) || next_ - learner_.at() > limits::order_reach) return std::nullopt;
    return ChunkIndex{log_.at(next_).chunk};
}

void OrderPrefetch::pass(bool brought) {
    if (brought) ahead_[ahead_count_++] = next_;
    ++next_;
}

}  // namespace ciuic
