// SPDX-License-Identifier: Apache-2.0
//
// Chunks in an order, each at most once: what all the models are made of. Every operation takes
// constant time.
//
// Threads: one.
#pragma once

#include "base/check.hpp"
#include "base/units.hpp"

#include <cstdint>
#include <vector>

namespace ciuic::models {

// A value for each chunk; chunks are small numbers.
template <typename T> class PerChunk {
public:
    T& operator[](uint32_t chunk) {
        if (chunk >= values_.size()) values_.resize(size_t{chunk} + 1 + values_.size() / 2);
        return values_[chunk];
    }

private:
    std::vector<T> values_;
};

// The front is where chunks come in: the newest, or the most recently used.
class ChunkQueue {
public:
    uint32_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    bool contains(uint32_t chunk) { return links_[chunk].is_in; }
    uint32_t front() const { return front_; }
    uint32_t back() const { return back_; }
    // none_index behind either end.
    uint32_t towards_front(uint32_t chunk) { return links_[chunk].newer; }

    void push_front(uint32_t chunk) {
        CIUIC_CHECK(!contains(chunk));
        links_[chunk] = {none_index, front_, true};
        (front_ == none_index ? back_ : links_[front_].newer) = chunk;
        front_ = chunk;
        ++size_;
    }
    // Whether it was in.
    bool remove(uint32_t chunk) {
        const Link link = links_[chunk];
        if (!link.is_in) return false;
        (link.newer == none_index ? front_ : links_[link.newer].older) = link.older;
        (link.older == none_index ? back_ : links_[link.older].newer) = link.newer;
        links_[chunk].is_in = false;
        --size_;
        return true;
    }
    void move_to_front(uint32_t chunk) {
        remove(chunk);
        push_front(chunk);
    }
    uint32_t pop_back() {
        CIUIC_CHECK(size_ > 0);
        const uint32_t chunk = back_;
        remove(chunk);
        return chunk;
    }

private:
    struct Link {
        uint32_t newer = none_index;
        uint32_t older = none_index;
        bool is_in = false;
    };
    PerChunk<Link> links_;
    uint32_t front_ = none_index;
    uint32_t back_ = none_index;
    uint32_t size_ = 0;
};

}  // namespace ciuic::models
