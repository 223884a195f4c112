// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/arc.hpp"

#include <algorithm>

namespace ciuic::models {

Arc::Arc(uint32_t capacity_chunks) : capacity_(capacity_chunks) {}

bool Arc::use(uint32_t chunk) {
    // Case I.
    if (t1_.remove(chunk) || t2_.remove(chunk)) {
        t2_.push_front(chunk);
        return true;
    }
    return miss(chunk);
}

bool Arc::miss(uint32_t chunk) {
    const double b1 = b1_.size();
    const double b2 = b2_.size();
    if (b1_.contains(chunk)) {  // case II
        p_ = std::min(capacity_, p_ + std::max(b2 / b1, 1.0));
        replace(false);
        b1_.remove(chunk);
        t2_.push_front(chunk);
        return false;
    }
    if (b2_.contains(chunk)) {  // case III
        p_ = std::max(0.0, p_ - std::max(b1 / b2, 1.0));
        replace(true);
        b2_.remove(chunk);
        t2_.push_front(chunk);
        return false;
    }
    // Case IV.
    const double l1 = t1_.size() + b1;
    const double all = l1 + t2_.size() + b2;
    if (l1 == capacity_) {
        if (t1_.size() < capacity_) {
            b1_.pop_back();
            replace(false);
        } else {
            t1_.pop_back();
        }
    } else if (all >= capacity_) {
        if (all == 2 * capacity_) b2_.pop_back();
        replace(false);
    }
    t1_.push_front(chunk);
    return false;
}

void Arc::replace(bool was_in_b2) {
    const double t1 = t1_.size();
    if (t1 > 0 && (t1 > p_ || (was_in_b2 && t1 == p_)))
        b1_.push_front(t1_.pop_back());
    else
        b2_.push_front(t2_.pop_back());
}

}  // namespace ciuic::models
