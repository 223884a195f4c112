// SPDX-License-Identifier: Apache-2.0
//
// Memory files whose pages are the shared device's frames, of the best kind that the machine has.
//
//   hugetlb     files of a detached hugetlbfs mount that reserved the whole budget: 2 MiB mapped
//               at once, and allocation inside the budget cannot fail
//   tmpfs       files of a detached tmpfs of the budget's size with huge=always: contiguous for
//               the disk, mapped by 4 KiB
//   memfd       4 KiB pages, sealed against truncation by the client
//
// Not here: mapping and paging (shared).
// Threads: the owner's.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>

namespace ciuic {

enum class FrameKind : uint8_t {
    automatic,  // the first of the following that this machine gives for the whole budget now
    hugetlb,
    tmpfs,
    memfd,
};

class FrameFiles {
public:
    // Chunks smaller than 2 MiB cannot be made of huge pages: hugetlb refuses them (unsupported),
    // tmpfs uses 4 KiB pages.
    // Errors: no_memory, unsupported, permission, io.
    static Result<FrameFiles> create(FrameKind kind, uint64_t budget_bytes, uint64_t chunk_bytes);

    // A sparse file that no path leads to.
    Result<UniqueFd> make_file(uint64_t size_bytes) const;

    FrameKind kind() const { return kind_; }  // never automatic
    const char* name() const;                 // "hugetlb", "tmpfs-huge", "tmpfs-4k", "memfd-4k"
    bool sealed() const { return kind_ == FrameKind::memfd; }
    // What a page table maps at once: 2 MiB for hugetlb, else the base page.
    uint64_t page_bytes() const;

private:
    FrameKind kind_ = FrameKind::memfd;
    bool huge_ = false;
    UniqueFd mount_;  // of hugetlb and tmpfs; the memory goes with it and the files
};

}  // namespace ciuic
