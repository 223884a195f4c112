// SPDX-License-Identifier: Apache-2.0
//
// What `ciuic doctor` knows of a machine. Plain values: what they mean is said by findings.hpp,
// where they come from by gather.hpp, so that a test can make up any machine.
//
// Threads: any.
#pragma once

#include "device/host/client_side.hpp"

#include <cstdint>
#include <limits>
#include <string>

namespace ciuic::cli::doctor {

inline constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

struct KernelFacts {
    std::string release;  // "6.18.5"
    HostFeatures features;
};

struct UserfaultFacts {
    bool device_exists = false;  // /dev/userfaultfd
    int device_error = 0;        // why it cannot be opened; 0: it can
};

struct MemoryFacts {
    uint64_t total_bytes = 0;
    uint64_t available_bytes = 0;
    uint64_t huge_page_bytes = 0;  // of the default kind; 0: the kernel has none
    uint64_t huge_pages_total = 0;
    uint64_t huge_pages_free = 0;   // and promised to nobody
    std::string shmem_huge;         // transparent_hugepage/shmem_enabled; empty: not in this kernel
    uint64_t limit_bytes = 0;       // of the memory cgroup, the tightest on the way up; 0: none
    std::string limit_file;         // where it is written
    bool may_mount = false;         // memory file systems for frames
    bool tmpfs_gives_huge = false;  // a tmpfs with huge=always does give huge pages
};

struct LimitFacts {
    uint64_t memlock_bytes = 0;  // RLIMIT_MEMLOCK, soft
    uint64_t nofile_hard = 0;    // RLIMIT_NOFILE; the daemon raises its own to this
    uint64_t max_map_count = 0;  // 0: not known
};

struct IoFacts {
    int ring_error = 0;         // why io_uring is refused; 0: it is not
    int disabled_setting = -1;  // kernel.io_uring_disabled; -1: there is no such setting
};

// Measured with one request at a time, directly on the disk.
struct DiskRate {
    bool is_measured = false;
    double write_mb_per_s = 0;  // 2 MiB each
    double read_mb_per_s = 0;   // 2 MiB each
    double read_64kib_us = 0;   // the median, places at random
};

struct StoreFacts {
    std::string path;
    int error = 0;            // why no file can be made there; 0: one can
    std::string file_system;  // "ext4"
    bool is_direct = false;   // O_DIRECT is taken
    uint64_t free_bytes = 0;  // for this user
    DiskRate rate;
};

struct DaemonFacts {
    enum class State {
        none,     // nobody listens
        closed,   // the socket is not open to this user
        refuses,  // it answers, but no session comes of it; `text` says why
        serves,   // a session could be opened
    };
    std::string socket;
    State state = State::none;
    std::string text;
};

struct PlaceFacts {
    std::string container;  // "docker", "podman", ...; empty: none
    bool is_wsl = false;    // Windows Subsystem for Linux
};

struct Facts {
    std::string user;           // the name, or the number
    uint64_t budget_bytes = 0;  // what all of it is judged for
    KernelFacts kernel;
    UserfaultFacts userfault;
    MemoryFacts memory;
    LimitFacts limits;
    IoFacts io;
    StoreFacts store;
    DaemonFacts daemon;
    PlaceFacts place;
};

}  // namespace ciuic::cli::doctor
