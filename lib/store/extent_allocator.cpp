// SPDX-License-Identifier: Apache-2.0
#include "store/extent_allocator.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <bit>

namespace ciuic {

namespace {

constexpr uint64_t word_bits = 64;

// The bits of word `word` that stand for granules in [begin, end).
uint64_t word_mask(uint64_t word, uint64_t begin, uint64_t end) {
    const uint64_t first = std::max(begin, word * word_bits) - word * word_bits;
    const uint64_t last = std::min(end, (word + 1) * word_bits) - word * word_bits;
    return (~uint64_t{0} >> (word_bits - (last - first))) << first;
}

}  // namespace

ExtentAllocator::ExtentAllocator(uint64_t capacity_bytes)
    : granules_(capacity_bytes / limits::granule_bytes), free_granules_(granules_),
      used_(std::make_unique<uint64_t[]>((granules_ + word_bits - 1) / word_bits)) {
    CIUIC_CHECK(capacity_bytes % limits::granule_bytes == 0);
    CIUIC_CHECK(capacity_bytes <= limits::store_bytes_max);
}

Result<Extent> ExtentAllocator::allocate(uint32_t granules, uint32_t alignment_granules) {
    CIUIC_CHECK(granules > 0 && is_power_of_two(alignment_granules));
    if (granules <= free_granules_) {
        // From where the last search ended to the end, then from the start: an extent that begins
        // before next_ may reach beyond it.
        const uint64_t wrap_end = std::min(granules_, next_ + granules);
        for (const auto [from, to] : {Run{next_, granules_}, Run{0, wrap_end}}) {
            const auto found = find_free(from, to, granules, alignment_granules);
            if (!found) continue;
            const Extent extent{static_cast<uint32_t>(*found), granules};
            mark(extent, true);
            next_ = *found + granules;
            return extent;
        }
    }
    return Error{Errc::no_memory, 0, "the swap file has no free run of this length"};
}

void ExtentAllocator::release(Extent extent) {
    CIUIC_CHECK(!extent.empty());
    CIUIC_CHECK(uint64_t{extent.first_granule} + extent.granules <= granules_);
    mark(extent, false);
}

std::optional<uint64_t> ExtentAllocator::find_free(uint64_t from, uint64_t to, uint32_t granules,
                                                   uint32_t alignment_granules) const {
    uint64_t begin = round_up(from, alignment_granules);
    while (begin + granules <= to) {
        const auto obstacle = last_used(begin, begin + granules);
        if (!obstacle) return begin;
        begin = round_up(*obstacle + 1, alignment_granules);
    }
    return std::nullopt;
}

// Searched from the back: the next place to try begins behind the last obstacle.
std::optional<uint64_t> ExtentAllocator::last_used(uint64_t begin, uint64_t end) const {
    const uint64_t first_word = begin / word_bits;
    for (uint64_t word = (end - 1) / word_bits + 1; word-- > first_word;) {
        const uint64_t used = used_[word] & word_mask(word, begin, end);
        if (used != 0) return word * word_bits + std::bit_width(used) - 1;
    }
    return std::nullopt;
}

void ExtentAllocator::mark(Extent extent, bool used) {
    const uint64_t begin = extent.first_granule;
    const uint64_t end = begin + extent.granules;
    for (uint64_t word = begin / word_bits; word * word_bits < end; ++word) {
        const uint64_t mask = word_mask(word, begin, end);
        CIUIC_CHECK((used_[word] & mask) == (used ? 0 : mask));
        used_[word] ^= mask;
    }
    free_granules_ += used ? -uint64_t{extent.granules} : extent.granules;
}

}  // namespace ciuic
