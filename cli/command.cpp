// SPDX-License-Identifier: Apache-2.0
#include "cli/command.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace ciuic::cli {

TakenSignals::TakenSignals() {
    sigemptyset(&taken_);
    for (const int signal : {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM})
        sigaddset(&taken_, signal);
    ::sigprocmask(SIG_BLOCK, &taken_, &original_mask_);
    // Where it was ignored, children would vanish before they could be waited for.
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &action, &original_child_action_);
}

TakenSignals::~TakenSignals() { restore(); }

void TakenSignals::restore() const {
    ::sigaction(SIGCHLD, &original_child_action_, nullptr);
    ::sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

siginfo_t TakenSignals::wait() const {
    siginfo_t signal{};
    while (::sigwaitinfo(&taken_, &signal) < 0) {
    }
    return signal;
}

CommandStart start_command(const std::string& path, const std::vector<std::string>& arguments,
                           const TakenSignals& signals) {
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {0, errno};
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t pid = ::fork();
    if (pid == 0) {
        signals.restore();
        ::execv(path.c_str(), pointers.data());
        int error = errno;
        if (error == ENOEXEC) {
            // A script without a first line that says whose: the shell's, as execvp() has it.
            pointers[0] = const_cast<char*>(path.c_str());
            pointers.insert(pointers.begin(), const_cast<char*>("sh"));
            ::execv("/bin/sh", pointers.data());
            error = errno;
        }
        [[maybe_unused]] const ssize_t told = ::write(writer.get(), &error, sizeof error);
        ::_exit(126);
    }
    if (pid < 0) return {0, errno};
    writer.reset();
    int error = 0;
    if (::read(reader.get(), &error, sizeof error) != sizeof error) return {pid, 0};
    ::waitpid(pid, nullptr, 0);
    return {0, error};
}

bool was_sent(const siginfo_t& signal) { return signal.si_code <= 0; }

void end_like(int wait_status) {
    std::fflush(nullptr);
    if (!WIFSIGNALED(wait_status)) ::_exit(WEXITSTATUS(wait_status));
    // The command has left the core dump, if any.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    const int signal = WTERMSIG(wait_status);
    std::signal(signal, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
    ::raise(signal);
    ::_exit(128 + signal);
}

}  // namespace ciuic::cli
