// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace record`: what a command uses, as a trace.
//
// The command runs as under `ciuic run --strict`, with so little memory that nearly each change
// from one chunk to another is a miss, which its daemon sees and writes down.
//
// Not here: running it (run), what is written (daemon/recorder).
// Threads: one.
#pragma once

#include "cli/run_options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ciuic::cli {

struct TraceRecordOptions {
    std::string to_path{};
    std::string chunk = "2MiB";
    std::string window{};  // empty: the least that a daemon takes
    std::string total = "2GiB";
    std::string swap_dir{};   // empty: memory where there is room, else the usual place
    std::string threshold{};  // empty: the library's default
    bool serve_mmap = false;
    bool summary = false;
    std::vector<std::string> command{};
};

// What a place for a swap file has to say for itself.
struct StoreRoom {
    uint64_t shm_free_bytes = 0;   // of /dev/shm
    uint64_t available_bytes = 0;  // memory that programs can still get
};
StoreRoom look_for_room();

// What to run. `problem`: what is wrong and what to write instead; empty when all is well.
RunOptions make_recorded_run(const TraceRecordOptions& options, const StoreRoom& room,
                             std::string& problem);

// Ends as the command has. Returns where it was not run, or there is no trace.
int run_trace_record(const TraceRecordOptions& options);

}  // namespace ciuic::cli
