// SPDX-License-Identifier: Apache-2.0
//
// What `ciuic run` can be told.
//
// Threads: start-up only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ciuic::cli {

struct RunOptions {
    // For a daemon of its own; empty: the daemon's default. Sizes are checked by the daemon.
    std::string budget;  // empty: the daemon that is running already
    std::string swap_dir;
    std::string total;
    std::string chunk;
    std::string frames;
    std::string report;
    std::string record;  // a trace of what is used; then the daemon's policy is plain

    std::string device = "auto";
    std::string socket;     // of the daemon that is running; empty: $CIUIC_SOCKET, else the default
    std::string threshold;  // empty: the library's default
    bool serve_mmap = false;
    bool strict = false;
    bool summary = false;
    std::vector<std::string> command;

    uint64_t threshold_bytes = 0;  // 0: the library's default
};

// What is wrong and what to write instead; empty when all is well. Fills `threshold_bytes`.
std::string check_run_options(RunOptions& options);

}  // namespace ciuic::cli
