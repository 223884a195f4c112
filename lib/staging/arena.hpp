// SPDX-License-Identifier: Apache-2.0
//
// Staging arena: memory that I/O and copies run through at full rate.
//
// One anonymous mapping: bound to a NUMA node, backed by huge pages where the machine gives them
// (scattered 4 KiB pages halve direct I/O), touched once at creation, never given to a forked
// child, never freed before the end.
//
// Threads: creation any; the memory belongs to the caller.
#pragma once

#include "base/mapping.hpp"
#include "base/result.hpp"
#include "staging/topology.hpp"

namespace ciuic {

struct ArenaOptions {
    uint64_t size_bytes = 0;
    // Of the base address; a power of two, at least 2 MiB for huge pages.
    uint64_t alignment_bytes = 0;
    uint32_t node = 0;
    bool lock = false;  // mlock: keeps the kernel from swapping it out
};

struct Arena {
    Mapping memory;
    uint32_t node = 0;
    bool huge = false;  // every page is a huge page (read from /proc/self/smaps)
    bool locked = false;
};

// Errors: no_memory, invalid, io.
Result<Arena> create_arena(Topology& topology, const ArenaOptions& options);

}  // namespace ciuic
