// SPDX-License-Identifier: Apache-2.0
//
// The command as a child process: standard streams, terminal and environment are its own; signals
// that are sent to `ciuic run` are passed on to it.
//
// The command stays in the process group of `ciuic run`, so the terminal's own signals (^C, ^Z, a
// hang-up) reach both without help: those are not passed on a second time.
//
// Threads: one.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace ciuic::cli {

// Signals that would end or disturb `ciuic run` are taken by wait_for_signal() instead while one of
// these is alive.
class TakenSignals {
public:
    TakenSignals();
    ~TakenSignals();
    TakenSignals(const TakenSignals&) = delete;
    TakenSignals& operator=(const TakenSignals&) = delete;

    // The next signal; SIGCHLD may stand for several children.
    siginfo_t wait() const;
    // As it was, for children.
    const sigset_t& original_mask() const { return original_mask_; }
    // In a child, before exec.
    void restore() const;

private:
    sigset_t taken_;
    sigset_t original_mask_;
    struct sigaction original_child_action_;
};

struct CommandStart {
    pid_t pid = 0;     // 0: it could not be executed
    int os_error = 0;  // then: why
};
CommandStart start_command(const std::string& path, const std::vector<std::string>& arguments,
                           const TakenSignals& signals);

// Came from a process, not from the terminal.
bool was_sent(const siginfo_t& signal);

// Ends this process as the command has ended: with its exit code, or by the signal that ended it.
[[noreturn]] void end_like(int wait_status);

}  // namespace ciuic::cli
