// SPDX-License-Identifier: Apache-2.0
//
// `ciuic run`: an unmodified program with its large allocations managed.
//
// Order: look at the command, get a daemon, open and close a session with it as the command would,
// and only then start the command; so that what stands in the way is known before.
//
// It ends when the command has, and so have the processes that the command left behind with
// managed memory: their pager is this daemon. A signal ends that wait at once.
//
// Not here: what happens inside the command (interposer/).
// Threads: one.
#pragma once

#include "cli/run_options.hpp"

namespace ciuic::cli {

// Exit codes besides the command's own, as env(1) and timeout(1) have them.
enum ExitCode : int {
    exit_refused = 125,         // the command line, or what --strict asks for
    exit_not_executable = 126,  // the command is there, but cannot be run
    exit_not_found = 127,
};

int run(RunOptions options);

}  // namespace ciuic::cli
