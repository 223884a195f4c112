// SPDX-License-Identifier: Apache-2.0
//
// The ioctls of a userfaultfd with their partial results and retries taken care of.
//
// Common to all: `refused` codes ENOENT (the range is not mapped or not registered) and ESRCH (the
// process is gone) become Errc::disconnected; EAGAIN that does not end becomes Errc::busy.
//
// Threads: those of the pager. Nothing here allocates or takes a lock.
#pragma once

#include "base/result.hpp"

#include <linux/userfaultfd.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic::userfault {

// A few hundred tries outlast any contention seen (page migration, a concurrent mmap call); more
// would let a client that remaps all the time hold the pager.
inline constexpr uint32_t tries_max = 512;

Error refusal(const char* what, int os_error);

// Wakes the threads that wait in the range; they touch it anew.
Status wake(int uffd, uint64_t address, uint64_t length_bytes);

// Sets or clears write protection; clearing wakes.
Status write_protect(int uffd, uint64_t address, uint64_t length_bytes, bool on);

// Maps pages that are in the file (UFFDIO_CONTINUE), and wakes. A page that is mapped already
// stays as it is, save that it becomes writable with `writable`.
Status map_present(int uffd, uint64_t address, uint64_t length_bytes, uint64_t page_bytes,
                   bool writable);

// Makes every access to the range raise SIGBUS, and wakes. Nothing is mapped there.
// Errors: unsupported (kernel older than 6.6) too.
Status poison(int uffd, uint64_t address, uint64_t length_bytes, uint64_t page_bytes);

// Reads waiting messages without ever blocking, even where another process that shares the
// descriptor has made it blocking (Linux 6.10; before that it relies on O_NONBLOCK).
size_t read_messages(int uffd, std::span<uffd_msg> messages);

}  // namespace ciuic::userfault
