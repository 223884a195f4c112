// SPDX-License-Identifier: Apache-2.0
//
// A bounded ring from one thread to one other. Nobody waits: what does not fit is refused, and
// whoever takes out looks when it likes. All of its memory is there from the start.
//
// Threads: one that pushes, one that pops.
#pragma once

#include "base/check.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

namespace ciuic {

template <typename T> class SpscRing {
public:
    // `entries`: a power of two.
    explicit SpscRing(size_t entries) : entries_(entries) { CIUIC_CHECK(is_power_of_two(entries)); }

    // False: it is full.
    bool push(const T& value) {
        const size_t pushed = pushed_.load(std::memory_order_relaxed);
        // Only when it looks full is the other thread's word read.
        if (pushed - popped_seen_ == entries_.size())
            popped_seen_ = popped_.load(std::memory_order_acquire);
        if (pushed - popped_seen_ == entries_.size()) return false;
        entries_[pushed & (entries_.size() - 1)] = value;
        pushed_.store(pushed + 1, std::memory_order_release);
        return true;
    }

    // How many were taken out, in the order in which they came.
    size_t pop(std::span<T> out) {
        const size_t popped = popped_.load(std::memory_order_relaxed);
        const size_t count = std::min(out.size(), pushed_.load(std::memory_order_acquire) - popped);
        for (size_t at = 0; at < count; ++at)
            out[at] = entries_[(popped + at) & (entries_.size() - 1)];
        popped_.store(popped + count, std::memory_order_release);
        return count;
    }

private:
    // The two threads' words are not in one cache line.
    static constexpr size_t line_bytes = 64;

    std::vector<T> entries_;
    alignas(line_bytes) std::atomic<size_t> pushed_{0};
    size_t popped_seen_ = 0;  // the pusher's
    alignas(line_bytes) std::atomic<size_t> popped_{0};
};

}  // namespace ciuic
