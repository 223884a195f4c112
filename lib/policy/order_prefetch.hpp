// SPDX-License-Identifier: Apache-2.0
//
// Order prefetch: proposes the chunks that come next in the order that the session repeats, as the
// sequence learner has found it. So many at a time as have proved right: twice as many with each
// that is used, half as many with each that went unused.
//
// Not here: orders that are seen for the first time, of neighbours (stream_prefetch.hpp); whether a
// chunk is here already, whether there is room (engine/).
// Threads: one. Pure: the memory is the caller's, zeros at first.
#pragma once

#include "policy/sequence_learner.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace ciuic {

class OrderPrefetch {
public:
    static constexpr uint64_t memory_bytes(uint32_t chunks) {
        return uses(chunks) * sizeof(Use) + chunks * sizeof(uint32_t);
    }

    // memory: memory_bytes() of it, aligned to 4 bytes. depth_max: chunks ahead at once.
    OrderPrefetch(std::span<std::byte> memory, uint32_t chunks, uint32_t depth_max);
    OrderPrefetch(const OrderPrefetch&) = delete;
    OrderPrefetch& operator=(const OrderPrefetch&) = delete;

    // The program uses the chunk, as far as uses are seen.
    void touched(ChunkIndex chunk);
    // A chunk that was brought was taken back before it was used.
    void wasted(ChunkIndex chunk);

    // There is an order, and the program keeps to it.
    bool is_leading() const { return learner_.is_confident(); }

    // What to bring next. None: no order, or enough is on its way.
    std::optional<ChunkIndex> proposal() const;
    // It was brought, and its turn is still to come.
    bool expects(ChunkIndex chunk) const { return find_ahead(chunk) < ahead_count_; }
    // The proposal was answered: it is on its way now, or it need not be brought.
    void pass(bool brought);

private:
    // Three for each chunk hold a period and more; what is never reached of it costs nothing.
    static constexpr uint64_t uses(uint32_t chunks) {
        return std::min(uint64_t{3} * chunks, limits::order_uses_max);
    }
    static std::span<Use> uses_in(std::span<std::byte> memory, uint32_t chunks);
    static std::span<uint32_t> last_in(std::span<std::byte> memory, uint32_t chunks);
    uint32_t find_ahead(ChunkIndex chunk) const;
    void start_again();

    UseLog log_;
    SequenceLearner learner_;
    uint32_t depth_max_;
    uint32_t depth_ = 1;
    uint32_t next_ = 0;  // position in the log of the next proposal
    // Positions of what was brought and is still ahead, in order.
    std::array<uint32_t, limits::prefetch_chunks_max> ahead_{};
    uint32_t ahead_count_ = 0;
    bool waits_ = false;  // for the next use, after something was brought for nothing
};

}  // namespace ciuic
