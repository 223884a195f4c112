// SPDX-License-Identifier: Apache-2.0
//
// Reads that a device may do by itself (direct I/O): while one goes into managed memory, the chunks
// that it goes to are pinned. The kernel holds their pages, but a page that it holds can leave the
// file all the same, and what the device then writes is lost.
//
// Not here: which entry points get this far (read_hooks).
// Threads: any. errno as for read(2).
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace ciuic::interposer {

// Whether `to` is in this process's managed memory and the file's reads may go past the CPU.
bool needs_pins(int fd, void* to);
bool needs_pins(int fd, std::span<const iovec> parts);

inline constexpr off64_t at_position = -1;  // of the open file, which moves on

// As pread(2), chunk by chunk: a thread that holds one pin never waits for another chunk.
ssize_t read_pinned(int fd, void* to, size_t bytes, off64_t offset);

// As preadv2(2): all parts at once, since the pieces of a direct read cannot be chosen freely.
ssize_t read_pinned(int fd, std::span<const iovec> parts, off64_t offset, int flags);

}  // namespace ciuic::interposer
