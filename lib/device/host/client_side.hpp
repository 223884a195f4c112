// SPDX-License-Identifier: Apache-2.0
//
// What a process does to have its memory paged: opens a userfaultfd, maps the session's space,
// registers it. Also the probe for what this kernel can do.
//
// Whoever is paged by another process keeps its own copy of the userfaultfd open for life: when
// the last copy closes, missing pages silently read as zeros.
//
// Not here: sending descriptors (protocol/), serving faults (embedded, shared).
// Threads: any; at start, not on a path that serves faults.
#pragma once

#include "base/mapping.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

// What the embedded device needs of its userfaultfd, and what a client of the shared device does.
uint64_t embedded_userfault_features();
uint64_t shared_userfault_features();

// A userfaultfd in full mode, non-blocking, closed on exec; no handshake yet. Tries `device_fd`
// (an open /dev/userfaultfd, handed over by a daemon); without one (-1) the device file itself;
// then the system call.
// Errors: unsupported (the kernel has none, or only the mode in which system calls on absent
// memory fail; the text says what to do), io.
Result<UniqueFd> open_userfault(int device_fd);

// Switches the descriptor to the features; each that the kernel lacks has a text of its own.
// Errors: unsupported, io.
Status uffd_handshake(int uffd, uint64_t features);

// Registers [base, base + length) for missing pages; with `minor` also for pages that the pager
// has filled but not mapped, and for write protection.
Status register_space(int uffd, void* base, uint64_t length_bytes, bool minor);

// Maps a session's memory file, shared, at a base that is a multiple of 2 MiB. A forked child
// does not get it (its first touch would put a zero page into the parent's memory), core dumps
// leave it out.
Result<Mapping> map_space(int file, uint64_t length_bytes);

// The last part of it, for a file that has been mapped already.
Status prepare_space(std::span<std::byte> space);

// In a forked child: the parent's memory file in the place of `space`, not yet readable, registered
// on the userfaultfd that it returns. Nothing can touch it before the pager answers for it, so that
// no touch puts a zero page into the parent's memory. `device_fd` as for open_userfault().
// Errors: unsupported, io; `space` cannot be touched then either.
Result<UniqueFd> map_space_unread(int file, std::span<std::byte> space, int device_fd);

// What this kernel has, and whether it gives it to this process.
struct HostFeatures {
    bool userfault = false;      // a full-mode userfaultfd can be had; the rest is independent
    bool minor_shared = false;   // shared memory: page-cache faults and write protection (5.19)
    bool minor_hugetlb = false;  // the same for hugetlb
    bool continue_wp = false;    // pages can be mapped write-protected in one step (6.4)
    bool poison = false;         // lost pages can be made to raise SIGBUS (6.6)
    bool move = false;           // pages can be moved within a process (6.8)
    Error refusal;               // why `userfault` is false
};
HostFeatures probe_host_features();

}  // namespace ciuic
