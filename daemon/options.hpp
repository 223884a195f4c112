// SPDX-License-Identifier: Apache-2.0
//
// The daemon's command line: every setting of config.hpp, and what only a command can say.
//
// Threads: start-up only.
#pragma once

#include "daemon/config.hpp"

#include <string>
#include <vector>

namespace ciuic {

// What the process says with its end.
enum class ExitCode : int {
    ok = 0,         // asked to stop, and no client was left
    failed = 1,     // could not start, or could not go on
    usage = 2,      // the command line or the configuration is wrong
    abandoned = 3,  // asked twice to stop; clients were left without their pager
};

struct DaemonOptions {
    DaemonConfig config;
    int ready_fd = -1;  // gets one byte "R" once clients can connect
    bool exit_with_parent = false;
};

struct ParsedOptions {
    DaemonOptions options;
    bool proceed = false;  // else the process ends with `exit_code` after printing the text
    ExitCode exit_code = ExitCode::ok;
    std::string output;                 // for standard output
    std::vector<std::string> problems;  // for standard error, one line each
};
ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace ciuic
