// SPDX-License-Identifier: Apache-2.0
//
// The command to run: where it is, and whether a preloaded library can get into it.
//
// Threads: start-up only.
#pragma once

#include <string>

namespace ciuic::cli {

struct Target {
    std::string path;       // empty: there is no such command
    int os_error = 0;       // then: ENOENT, EACCES
    std::string objection;  // why its memory cannot be managed; empty: it can
};

// Looks the name up as execvp() would.
Target find_target(const std::string& name);

}  // namespace ciuic::cli
