// SPDX-License-Identifier: Apache-2.0
//
// Sequential prefetch: sees streams of neighbouring chunks, upwards or downwards, and proposes what
// comes next. A stream's depth doubles while its proposals are used and halves when they are not.
//
// Not here: whether a proposed chunk needs fetching, whether there is room (engine/).
// Threads: one. Pure: no clock, lock, I/O or allocation.
#pragma once

#include "limits.hpp"

#include <array>
#include <cstdint>

namespace ciuic {

// Chunks first, first + step, ... : count of them; step is +1 or -1.
struct PrefetchProposal {
    ChunkIndex first;
    int32_t step = 1;
    uint32_t count = 0;
};

class StreamPrefetch {
public:
    explicit StreamPrefetch(uint32_t depth_max = limits::prefetch_chunks_max)
        : depth_max_(depth_max) {}

    // The program touched a chunk that was not resident (a miss, or the first touch of a
    // prefetched one). Returns what to fetch next; count 0 when nothing.
    PrefetchProposal touched(ChunkIndex chunk, uint32_t chunks);

    // A prefetched chunk was taken back before it was touched.
    void wasted(ChunkIndex chunk);

    // Whether the last touch continued a stream.
    bool is_streaming() const { return streaming_; }

private:
    struct Stream {
        uint32_t last = none_index;  // the chunk touched last
        int32_t step = 0;            // 0: only one touch so far
        uint32_t ahead = 0;          // chunks beyond `last` that were proposed
        uint32_t depth = 0;
        uint64_t used_at = 0;
    };

    Stream* find(uint32_t chunk);
    void start(uint32_t chunk);

    std::array<Stream, limits::streams_per_session> streams_{};
    uint64_t touches_ = 0;
    uint32_t depth_max_;
    bool streaming_ = false;
};

}  // namespace ciuic
