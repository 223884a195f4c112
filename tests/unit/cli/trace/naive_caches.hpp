// SPDX-License-Identifier: Apache-2.0
//
// The simplest policies once more, each looking through everything at every use: slow, and short
// enough to be right by reading.
//
// Threads: one.
#pragma once

#include "cli/trace/models/cache_model.hpp"

#include <algorithm>
#include <vector>

namespace ciuic::models {

struct NaiveChunk {
    uint32_t chunk;
    size_t stamp;
    bool was_used;
};

class NaiveLru {
public:
    NaiveLru(uint32_t capacity, Uses) : capacity_(capacity) {}
    bool use(uint32_t chunk) {
        ++now_;
        for (NaiveChunk& one : here_)
            if (one.chunk == chunk) {
                one.stamp = now_;
                return true;
            }
        if (here_.size() == capacity_)
            here_.erase(std::min_element(
                here_.begin(), here_.end(),
                [](const auto& one, const auto& other) { return one.stamp < other.stamp; }));
        here_.push_back({chunk, now_, false});
        return false;
    }

private:
    size_t capacity_;
    size_t now_ = 0;
    std::vector<NaiveChunk> here_;
};

// A ring with a hand, as the paper draws it; the model has a queue instead.
class NaiveClock {
public:
    NaiveClock(uint32_t capacity, Uses) : capacity_(capacity) {}
    bool use(uint32_t chunk) {
        for (NaiveChunk& one : ring_)
            if (one.chunk == chunk) {
                one.was_used = true;
                return true;
            }
        if (ring_.size() < capacity_) {
            ring_.push_back({chunk, 0, false});
            return false;
        }
        for (; ring_[hand_].was_used; hand_ = (hand_ + 1) % capacity_)
            ring_[hand_].was_used = false;
        ring_[hand_] = {chunk, 0, false};
        hand_ = (hand_ + 1) % capacity_;
        return false;
    }

private:
    size_t capacity_;
    size_t hand_ = 0;
    std::vector<NaiveChunk> ring_;
};

class NaiveBelady {
public:
    NaiveBelady(uint32_t capacity, Uses uses) : capacity_(capacity), uses_(uses) {}
    bool use(uint32_t chunk) {
        ++now_;
        if (std::find(here_.begin(), here_.end(), chunk) != here_.end()) return true;
        if (here_.size() == capacity_)
            here_.erase(std::max_element(here_.begin(), here_.end(), [this](auto one, auto other) {
                return next_of(one) < next_of(other);
            }));
        here_.push_back(chunk);
        return false;
    }

private:
    size_t next_of(uint32_t chunk) const {
        return static_cast<size_t>(
            std::find(uses_.begin() + static_cast<std::ptrdiff_t>(now_), uses_.end(), chunk) -
            uses_.begin());
    }
    size_t capacity_;
    Uses uses_;
    size_t now_ = 0;
    std::vector<uint32_t> here_;
};

}  // namespace ciuic::models
