// SPDX-License-Identifier: Apache-2.0
//
// Extent allocator: which granules of the swap file are free.
//
// A bitmap searched next-fit. All memory is taken at construction, so that nothing on the eviction
// path allocates: 64 GiB / 4 KiB per granule / 8 bits = 2 MiB of bitmap.
//
// Not here: what is in the extents, I/O.
// Threads: one.
#pragma once

#include "base/result.hpp"
#include "store/extent.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace ciuic {

class ExtentAllocator {
public:
    explicit ExtentAllocator(uint64_t capacity_bytes);

    // `granules` consecutive free granules, the first a multiple of `alignment_granules` (a power
    // of two). Error: no_memory.
    Result<Extent> allocate(uint32_t granules, uint32_t alignment_granules);
    // The extent must have been handed out by allocate() and not given back since.
    void release(Extent extent);

    uint64_t free_bytes() const { return free_granules_ * limits::granule_bytes; }
    uint64_t capacity_bytes() const { return granules_ * limits::granule_bytes; }

private:
    struct Run {
        uint64_t begin;
        uint64_t end;
    };

    // The first free run inside [from, to), all in granules.
    std::optional<uint64_t> find_free(uint64_t from, uint64_t to, uint32_t granules,
                                      uint32_t alignment_granules) const;
    std::optional<uint64_t> last_used(uint64_t begin, uint64_t end) const;
    void mark(Extent extent, bool used);

    uint64_t granules_ = 0;
    uint64_t free_granules_ = 0;
    uint64_t next_ = 0;                 // where the next search starts
    std::unique_ptr<uint64_t[]> used_;  // one bit per granule
};

}  // namespace ciuic
