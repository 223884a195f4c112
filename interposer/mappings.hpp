// SPDX-License-Identifier: Apache-2.0
//
// Mappings: large anonymous memory that the program asked for with mmap, and may give back, grow
// and move by the page, while Ciuic deals in chunks.
//
// What becomes of a partial munmap: chunks of which nothing is in use any more lose their bytes,
// and their promise too once they end the mapping; the rest of a chunk that is in use stays, and so
// does a hole in the middle of one.
//
// Not here: which calls get this far, and flags (mapping_hooks).
// Threads: any. Addresses lie in this process's session (owner_of()); errno is kept.
#pragma once

#include "interposer/large.hpp"

namespace ciuic::interposer {

// When a session opens. False: no address space for a table of its chunks.
bool prepare_mappings(const SessionSpace& space);
// In a forked child: they were the parent's.
void forget_mappings();

// allocate_large(), and from here on the functions below know it.
Large map_large(size_t bytes);

// What is no mapping of the program's is left alone.
void unmap_large(void* address, size_t bytes);

// Grows or shrinks a whole mapping in place. False: it is as it was, or is not a whole mapping.
bool remap_large(void* address, size_t old_bytes, size_t new_bytes);

// Makes any part of managed memory read as zero. False: it cannot be written, or is not allocated.
bool clear_large(void* address, size_t bytes);

// Starts to bring it in.
void prefetch_large(void* address, size_t bytes);

}  // namespace ciuic::interposer
