// SPDX-License-Identifier: Apache-2.0
#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace ciuic::probe {

namespace {

using Clock = std::chrono::steady_clock;

std::string ending(int status) {
    if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
    return "exit " + std::to_string(WEXITSTATUS(status));
}

// True when the child was collected.
bool collect_until(pid_t child, Clock::time_point deadline, std::string& how) {
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(child, &status, WNOHANG);
        if (got == child) {
            how = ending(status);
            return true;
        }
        if (got < 0 && errno != EINTR) {
            how = std::string("waitpid: ") + std::strerror(errno);
            return true;
        }
        if (Clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

}  // namespace

pid_t start_self(const std::vector<std::string>& arguments, int fd,
                 const std::vector<std::pair<std::string, std::string>>& environment) {
    std::vector<char*> argv = {const_cast<char*>("gpu-probe")};
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    // Built before the fork: the child of a process with threads may not allocate.
    std::vector<std::string> added;
    added.reserve(environment.size());
    for (const auto& [name, value] : environment) {
        added.push_back(name);
        added.back().append("=").append(value);
    }
    std::vector<char*> variables;
    variables.reserve(added.size());
    for (std::string& variable : added) variables.push_back(variable.data());
    for (char** variable = ::environ; *variable != nullptr; ++variable)
        variables.push_back(*variable);
    variables.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw Unavailable(std::string("fork: ") + std::strerror(errno));
    if (child > 0) return child;

    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    // dup2 onto itself would keep the close-on-exec flag.
    if (fd == CHILD_FD)
        ::fcntl(fd, F_SETFD, 0);
    else
        ::dup2(fd, CHILD_FD);
    ::execve("/proc/self/exe", argv.data(), variables.data());
    ::_exit(127);
}

std::string end_child(pid_t child) {
    std::string how;
    if (collect_until(child, Clock::now(), how)) return how;
    ::kill(child, SIGKILL);
    if (collect_until(child, Clock::now() + std::chrono::seconds(5), how)) return how;
    return "stuck in the driver and left behind as process " + std::to_string(child);
}

std::string wait_child(pid_t child, Clock::time_point deadline) {
    std::string how;
    return collect_until(child, deadline, how) ? how : end_child(child);
}

std::string read_until(int fd, Clock::time_point deadline, bool* timed_out) {
    std::string bytes;
    char buffer[4096];
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd wait{fd, POLLIN, 0};
        const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            *timed_out = true;
            return bytes;
        }
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            *timed_out = false;
            return bytes;
        }
        bytes.append(buffer, static_cast<size_t>(got));
    }
}

std::vector<std::string> settings_arguments(const Settings& settings) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(settings.deadline - Clock::now());
    std::vector<std::string> arguments = {"--device", std::to_string(settings.device_ordinal),
                                          "--limit-ms",
                                          std::to_string(std::max<int64_t>(left.count(), 0))};
    if (settings.quick) arguments.push_back("--quick");
    return arguments;
}

ProbeResult run_probe(const Probe& probe, const Settings& settings, Clock::time_point deadline) {
    ProbeResult result{probe.name, probe.question, "ok", "", 0, {}};
    const auto begin = Clock::now();
    const auto kill_at = std::min(deadline, begin + std::chrono::seconds(probe.limit_s));
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
        result.status = "failed";
        result.reason = std::string("pipe: ") + std::strerror(errno);
        return result;
    }
    // The child winds its loops down a little before it would be ended.
    Settings child_settings = settings;
    child_settings.deadline = kill_at - std::chrono::seconds(4);
    std::vector<std::string> arguments = settings_arguments(child_settings);
    arguments.insert(arguments.begin(), {"--probe", probe.name});
    const pid_t child = start_self(arguments, fds[1]);
    ::close(fds[1]);

    bool timed_out = false;
    const std::string lines = read_until(fds[0], kill_at, &timed_out);
    ::close(fds[0]);
    const std::string how =
        timed_out ? end_child(child) : wait_child(child, Clock::now() + std::chrono::seconds(5));
    for (size_t at = 0, end; (end = lines.find('\n', at)) != std::string::npos; at = end + 1)
        if (auto row = decode(std::string_view(lines).substr(at, end - at)))
            result.rows.push_back(std::move(*row));
    result.elapsed_s = std::chrono::duration<double>(Clock::now() - begin).count();
    if (timed_out) {
        result.status = "timed_out";
        result.reason = "ended at its time limit (" + how + ")";
    } else if (how != ENDED_WELL) {
        result.status = "failed";
        result.reason = how;
        // The child's last words, where it had any, are the row without a name.
        if (!result.rows.empty() && result.rows.back().name.empty()) {
            result.reason = result.rows.back().text;
            if (how == ENDED_WITHOUT_CARD) result.status = "no_card";
            result.rows.pop_back();
        }
    }
    return result;
}

}  // namespace ciuic::probe
