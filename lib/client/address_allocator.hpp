// SPDX-License-Identifier: Apache-2.0
//
// Address allocator: which chunks of a session's address space belong to whom.
//
// The space is a row of spans, each a block or a hole; two holes never adjoin. A block may be
// longer than what is in use of it: the rest is kept for growth in place. Best fit: the smallest
// hole that is long enough, so that small blocks do not eat the long holes.
//
// Facts about a span lie at the index of its first chunk in one sparse table, so nothing here calls
// malloc: the allocator works inside malloc itself.
//
// Not here: promises and bytes (engine).
// Threads: one at a time, the caller's lock.
#pragma once

#include "base/mapping.hpp"
#include "base/result.hpp"
#include "base/units.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace ciuic {

class AddressAllocator {
public:
    // `chunks` > 0, at most limits::session_chunks_max. Error: io (no address space for the table).
    static Result<AddressAllocator> create(uint32_t chunks);

    // A block of `used` + `slack` chunks; `used` > 0. Nothing when no hole is long enough. `tag` is
    // kept for the caller.
    std::optional<uint32_t> allocate(uint32_t used, uint32_t slack, uint32_t tag);

    // `first` must be the start of a block here and below.
    void release(uint32_t first);

    // Changes how much of the block is in use. Beyond its end, it takes what it needs of a hole
    // right behind it; false when there is none long enough. Less never fails; the rest is slack.
    bool resize(uint32_t first, uint32_t used);

    bool is_block(uint32_t chunk) const;
    uint32_t used(uint32_t first) const { return block_at(first).used; }
    uint32_t tag(uint32_t first) const { return block_at(first).tag; }

    // One past the highest chunk that was ever part of a block.
    uint32_t high_water() const { return high_water_; }

    // Every span obeys the invariants; stops the program where one does not. O(spans).
    void verify() const;

private:
    struct Span {
        uint32_t length;    // chunks; 0: no span starts here
        uint32_t used;      // of a block; is_hole for a hole
        uint32_t before;    // start of the span before this one; none_index for the first
        uint32_t next;      // in the list of the hole's bin
        uint32_t previous;  // likewise
        uint32_t tag;       // of a block
    };
    static constexpr uint32_t is_hole = none_index;
    // Holes of 2^n .. 2^(n+1) - 1 chunks are in bin n.
    static constexpr uint32_t bins = 32;

    Span* spans() const { return reinterpret_cast<Span*>(table_.data()); }
    Span& block_at(uint32_t first) const;
    void set_span(uint32_t first, const Span& span);
    void add_hole(uint32_t first, uint32_t length, uint32_t before);
    void take_hole(uint32_t first);
    uint32_t find_hole(uint32_t length) const;
    void give_behind(uint32_t first, uint32_t length, uint32_t before);

    Mapping table_;
    uint32_t chunks_ = 0;
    uint32_t high_water_ = 0;
    std::array<uint32_t, bins> holes_{};  // heads of lists
};

}  // namespace ciuic
