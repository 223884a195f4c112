// SPDX-License-Identifier: Apache-2.0
#include "client/address_allocator.hpp"

#include "base/check.hpp"
#include "limits.hpp"

#include <algorithm>
#include <bit>

namespace ciuic {

namespace {

uint32_t bin_of(uint32_t length) { return static_cast<uint32_t>(std::bit_width(length)) - 1; }

}  // namespace

// 2^20 chunks x 24 B = 24 MiB of addresses; a page is taken when a span starts in its part.
Result<AddressAllocator> AddressAllocator::create(uint32_t chunks) {
    CIUIC_CHECK(chunks > 0 && chunks <= limits::session_chunks_max);
    AddressAllocator allocator;
    CIUIC_TRY(allocator.table_, Mapping::create(chunks * sizeof(Span), PROT_READ | PROT_WRITE,
                                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
    allocator.chunks_ = chunks;
    allocator.holes_.fill(none_index);
    allocator.add_hole(0, chunks, none_index);
    return allocator;
}

std::optional<uint32_t> AddressAllocator::allocate(uint32_t used, uint32_t slack, uint32_t tag) {
    CIUIC_CHECK(used > 0);
    if (used > chunks_ || slack > chunks_ - used) return std::nullopt;
    const uint32_t length = used + slack;
    const uint32_t first = find_hole(length);
    if (first == none_index) return std::nullopt;
    const Span hole = spans()[first];
    take_hole(first);
    set_span(first, {length, used, hole.before, none_index, none_index, tag});
    give_behind(first + length, hole.length - length, first);
    high_water_ = std::max(high_water_, first + length);
    return first;
}

void AddressAllocator::release(uint32_t first) {
    const Span block = block_at(first);
    uint32_t begin = first;
    uint32_t before = block.before;
    if (before != none_index && spans()[before].used == is_hole) {
        begin = before;
        before = spans()[begin].before;
        take_hole(begin);
    }
    spans()[first].length = 0;
    give_behind(begin, first + block.length - begin, before);
}

bool AddressAllocator::resize(uint32_t first, uint32_t used) {
    Span& block = block_at(first);
    if (used > block.length) {
        const uint32_t behind = first + block.length;
        if (behind == chunks_ || spans()[behind].used != is_hole) return false;
        const uint32_t hole_length = spans()[behind].length;
        if (used - block.length > hole_length) return false;
        take_hole(behind);
        const uint32_t end = behind + hole_length;
        block.length = used;
        give_behind(first + used, end - first - used, first);
        high_water_ = std::max(high_water_, first + used);
    }
    block.used = used;
    return true;
}

bool AddressAllocator::is_block(uint32_t chunk) const {
    return chunk < chunks_ && spans()[chunk].length > 0 && spans()[chunk].used != is_hole;
}

void AddressAllocator::verify() const {
    uint32_t before = none_index;
    uint32_t holes = 0;
    uint32_t first = 0;
    while (first < chunks_) {
        const Span& span = spans()[first];
        CIUIC_CHECK(span.length > 0 && span.length <= chunks_ - first);
        CIUIC_CHECK(span.before == before);
        if (span.used == is_hole) {
            CIUIC_CHECK(before == none_index || spans()[before].used != is_hole);
            ++holes;
        } else {
            CIUIC_CHECK(span.used <= span.length);
        }
        before = first;
        first += span.length;
    }
    for (uint32_t bin = 0; bin < bins; ++bin) {
        uint32_t previous = none_index;
        for (uint32_t hole = holes_[bin]; hole != none_index; hole = spans()[hole].next) {
            CIUIC_CHECK(spans()[hole].used == is_hole && bin_of(spans()[hole].length) == bin);
            CIUIC_CHECK(spans()[hole].previous == previous);
            previous = hole;
            CIUIC_CHECK(holes > 0);
            --holes;
        }
    }
    CIUIC_CHECK(holes == 0);
}

AddressAllocator::Span& AddressAllocator::block_at(uint32_t first) const {
    CIUIC_CHECK(is_block(first));
    return spans()[first];
}

// Also tells the span behind who its neighbour is.
void AddressAllocator::set_span(uint32_t first, const Span& span) {
    spans()[first] = span;
    if (first + span.length < chunks_) spans()[first + span.length].before = first;
}

void AddressAllocator::add_hole(uint32_t first, uint32_t length, uint32_t before) {
    uint32_t& head = holes_[bin_of(length)];
    set_span(first, {length, is_hole, before, head, none_index, 0});
    if (head != none_index) spans()[head].previous = first;
    head = first;
}

// Out of its list; the caller makes another span of its chunks.
void AddressAllocator::take_hole(uint32_t first) {
    Span& hole = spans()[first];
    if (hole.next != none_index) spans()[hole.next].previous = hole.previous;
    if (hole.previous != none_index)
        spans()[hole.previous].next = hole.next;
    else
        holes_[bin_of(hole.length)] = hole.next;
    hole.length = 0;
}

// The bins are in order of length: the best fit is the shortest of the first bin that has any.
uint32_t AddressAllocator::find_hole(uint32_t length) const {
    uint32_t best = none_index;
    for (uint32_t bin = bin_of(length); bin < bins && best == none_index; ++bin)
        for (uint32_t hole = holes_[bin]; hole != none_index; hole = spans()[hole].next) {
            if (spans()[hole].length < length) continue;
            if (best == none_index || spans()[hole].length < spans()[best].length) best = hole;
            if (spans()[best].length == length) return best;
        }
    return best;
}

// Makes a hole of [first, first + length), together with the hole behind it if there is one.
void AddressAllocator::give_behind(uint32_t first, uint32_t length, uint32_t before) {
    if (length == 0) {
        if (first < chunks_) spans()[first].before = before;
        return;
    }
    const uint32_t behind = first + length;
    if (behind < chunks_ && spans()[behind].used == is_hole) {
        length += spans()[behind].length;
        take_hole(behind);
    }
    add_hole(first, length, before);
}

}  // namespace ciuic
