// SPDX-License-Identifier: Apache-2.0
//
// Frequency directory: what W-TinyLFU would hold. New chunks pass through a small window; whether
// one that leaves it stays is decided by who was used more often, it or the oldest of the rest.
// What was used again is protected, up to four fifths of the rest.
//
// After Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM
// Transactions on Storage 13, 2017): window 1 %, segmented LRU 20 : 80.
//
// Threads: one. Pure: the memory is the caller's, zeros at first.
#pragma once

#include "policy/directory.hpp"
#include "policy/frequency_sketch.hpp"

#include <array>

namespace ciuic {

class FrequencyDirectory {
public:
    // Of one chunk, in one of the lists.
    struct Link {
        uint32_t newer;
        uint32_t older;
    };
    enum class Segment : uint8_t { none, window, probation, protected_ };

    // links, segments: one per chunk.
    FrequencyDirectory(std::span<Link> links, std::span<Segment> segments,
                       std::span<uint64_t> sketch)
        : links_(links), segments_(segments), sketch_(sketch) {
        CIUIC_CHECK(links.size() == segments.size());
    }

    bool holds(ChunkIndex chunk) const { return segment_of(chunk) != Segment::none; }

    DirectoryChange used(ChunkIndex chunk, uint32_t frames);

private:
    struct List {
        uint32_t newest = none_index;
        uint32_t oldest = none_index;
        uint32_t count = 0;
    };

    Segment segment_of(ChunkIndex chunk) const {
        CIUIC_CHECK(chunk.value < segments_.size());
        return segments_[chunk.value];
    }
    List& list_of(Segment segment) { return lists_[static_cast<size_t>(segment)]; }
    void take(uint32_t chunk);
    void put(uint32_t chunk, Segment segment);
    void promote(uint32_t chunk, uint32_t protected_max);
    bool make_room(uint32_t window_max, uint32_t frames, DirectoryChange& change);

    std::span<Link> links_;
    std::span<Segment> segments_;
    FrequencySketch sketch_;
    std::array<List, 4> lists_{};  // by segment
};

}  // namespace ciuic
