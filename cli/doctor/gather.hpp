// SPDX-License-Identifier: Apache-2.0
//
// Where the facts come from: one source, one file gather_*.cpp.
//
// Whatever is asked of the kernel is asked as Ciuic asks it. Nothing of the machine is changed; the
// disk is read and written for less than a second, in a file without a name.
//
// Threads: any.
#pragma once

#include "cli/doctor/facts.hpp"
#include "cli/doctor/files.hpp"

namespace ciuic::cli::doctor {

struct Wishes {
    uint64_t budget_bytes = 0;  // 0: an eighth of the memory, as embedded sessions have it
    std::string store = "/var/tmp";
    std::string socket;  // empty: $CIUIC_SOCKET, else the default
};

Facts gather(const Wishes& wishes);

KernelFacts gather_kernel();
UserfaultFacts gather_userfault();
MemoryFacts gather_memory(const Files& files);
LimitFacts gather_limits(const Files& files);
IoFacts gather_io(const Files& files);
StoreFacts gather_store(const std::string& path);
DaemonFacts gather_daemon(const std::string& socket);
PlaceFacts gather_place(const Files& files, const std::string& kernel_release);

// The rate of an open file, which may be overwritten up to `size_bytes`.
DiskRate measure_rate(int file, uint64_t size_bytes);

}  // namespace ciuic::cli::doctor
