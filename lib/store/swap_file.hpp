// SPDX-License-Identifier: Apache-2.0
//
// The swap file: created, sized, and fenced against I/O of an earlier incarnation.
//
// An io_uring write outlives the SIGKILL of its process and can land on the place's next owner.
// Every incarnation therefore opens the inode anew (a new open file description), takes an
// exclusive flock on that description before its first I/O, and gives the descriptor to nobody:
// the kernel releases the lock of a dead incarnation only when its last request has ended.
//
// Whether somebody lives who uses the file is a question of its own, answered at once: a second
// lock, on a description that no request refers to, goes with the process.
//
// Not here: who owns which place (extent_allocator), the transfers (io/).
// Threads: any; used at start-up.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <string>

namespace ciuic {

struct SwapFileOptions {
    // A directory: the file is unnamed (O_TMPFILE) and vanishes with its last descriptor.
    // An existing or new file's path: that file is used, and kept. Mode 0600 either way.
    std::string path;
    uint64_t size_bytes = 0;  // a multiple of granule_bytes; preallocated
    Nanos fence_deadline;     // limits::fence_deadline unless a test says otherwise
};

struct SwapFile {
    UniqueFd anchor;      // keeps the inode alive; never used for I/O; may be handed to a keeper
    UniqueFd claim;       // locked while a living process uses the file; never handed to anyone
    UniqueFd io;          // locked, O_DIRECT where possible; never handed to anyone
    bool direct = false;  // false: the file system refuses O_DIRECT and the page cache is used
};

// Errors: invalid (not a regular file or directory), permission, no_memory (the file system has no
// room for size_bytes), busy (a living process uses the file), timed_out (the I/O of a dead one did
// not end within the deadline), unsupported, io.
Result<SwapFile> open_swap_file(const SwapFileOptions& options, Clock& clock);

// The fence alone: opens the anchor's inode anew and waits for the exclusive lock.
Result<UniqueFd> open_fenced(int anchor_fd, Nanos deadline, Clock& clock, bool& direct);

}  // namespace ciuic
