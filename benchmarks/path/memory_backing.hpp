// SPDX-License-Identifier: Apache-2.0
//
// One range of memory, and who keeps it: the kernel (swap, or the page cache of a file) or Ciuic
// (in this process, or through a daemon). The same program can then run on each of them.
//
// Not here: limits and swap files, which whoever starts the program provides; what is done with
// the memory (pattern_bench.cpp).
// Threads: one.
#pragma once

#include "base/mapping.hpp"
#include "base/unique_fd.hpp"
#include "ciuic/vmm.h"

#include <cstdint>
#include <span>
#include <string>

namespace ciuic::bench {

enum class Backing { plain, file, embedded, daemon };

struct BackingOptions {
    Backing backing = Backing::embedded;
    std::string store = "/var/tmp";  // directory of the file, or of the embedded session's store
    std::string socket;
    uint64_t budget_mib = 256;
    uint64_t region_mib = 512;
    bool huge = false;      // plain memory in huge pages, where the kernel has them
    bool declares = false;  // CIUIC_DECLARES_USES
};

// Failures end the program with a line, as in paged_region.hpp.
class MemoryBacking {
public:
    explicit MemoryBacking(const BackingOptions& options);
    ~MemoryBacking();
    MemoryBacking(const MemoryBacking&) = delete;
    MemoryBacking& operator=(const MemoryBacking&) = delete;

    std::span<std::byte> bytes() const { return bytes_; }
    // NULL where the kernel keeps the memory.
    ciuic_session* session() const { return session_; }
    // All zeros where the kernel keeps the memory.
    ciuic_statistics statistics() const;

    // How the pages of a file will be gone through, which the kernel's page cache can be told:
    // MADV_SEQUENTIAL, MADV_RANDOM or MADV_NORMAL. Nothing on other memory.
    void expect_order(int advice);

    // Whether a touch between the two calls waited for the disk, or, on Ciuic's memory, met a page
    // that was not shown. The kernel counts what it read for a thread; a page that Ciuic has to
    // show is absent from the page tables.
    void expect_touch(uint64_t offset_bytes, uint64_t length_bytes);
    bool was_miss() const;

private:
    void map_plain(bool huge);
    void map_file(const std::string& directory);
    void open_session(const BackingOptions& options);

    Mapping mapping_;
    UniqueFd pagemap_;
    ciuic_session* session_ = nullptr;
    std::span<std::byte> bytes_;
    uint64_t length_bytes_ = 0;
    bool is_file_ = false;
    bool was_absent_ = false;
    long major_faults_ = 0;
};

}  // namespace ciuic::bench
