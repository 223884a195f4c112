// SPDX-License-Identifier: Apache-2.0
#include "cli/private_daemon.hpp"

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace ciuic::cli {
namespace {

constexpr size_t socket_path_max = 107;  // sun_path, terminated

// The first of the usual places in which a socket's path is short enough.
std::string make_directory() {
    for (const char* variable : {"XDG_RUNTIME_DIR", "TMPDIR", ""}) {
        const char* named = *variable ? std::getenv(variable) : "/tmp";
        if (!named || !*named) continue;
        std::string path = std::string(named) + "/ciuic-run.XXXXXX";
        if (path.size() + std::strlen("/swapd.sock") > socket_path_max) continue;
        if (::mkdtemp(path.data())) return path;
    }
    return {};
}

std::vector<std::string> arguments_of(const RunOptions& options, const std::string& program,
                                      const std::string& socket, const std::string& report,
                                      int ready_fd) {
    std::vector<std::string> arguments{
        program,        "--socket",           socket,       "--budget",
        options.budget, "--exit-with-parent", "--ready-fd", std::to_string(ready_fd)};
    const std::pair<const char*, const std::string&> settings[] = {
        {"--store", options.swap_dir}, {"--store-size", options.total},
        {"--chunk", options.chunk},    {"--frames", options.frames},
        {"--report", report},          {"--record", options.record},
    };
    for (const auto& [option, value] : settings)
        if (!value.empty()) arguments.insert(arguments.end(), {option, value});
    // What comes ahead is seen late, and what is kept for long not at all.
    if (!options.record.empty()) arguments.insert(arguments.end(), {"--policy", "plain"});
    return arguments;
}

[[noreturn]] void become_daemon(std::vector<std::string> arguments, int ready_fd,
                                const sigset_t& mask) {
    ::setsid();
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::fcntl(ready_fd, F_SETFD, 0);
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
}

// Waits until it is ready or has ended.
bool is_ready(int ready_fd) {
    char byte = 0;
    ssize_t got = 0;
    do {
        got = ::read(ready_fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

}  // namespace

PrivateDaemon::Started PrivateDaemon::start(const RunOptions& options, const std::string& program,
                                            const sigset_t& mask) {
    Started started;
    if (::access(program.c_str(), X_OK) != 0) {
        started.problem = "there is no daemon at " + program + "; install ciuic-swapd there";
        return started;
    }
    std::unique_ptr<PrivateDaemon> daemon(new PrivateDaemon);
    daemon->directory_ = make_directory();
    int ready[2];
    if (daemon->directory_.empty() || ::pipe2(ready, O_CLOEXEC) != 0) {
        started.problem = std::string("no place for the daemon's socket (") + std::strerror(errno) +
                          "); set TMPDIR to a directory with a short path";
        return started;
    }
    UniqueFd reader(ready[0]);
    UniqueFd writer(ready[1]);
    daemon->socket_ = daemon->directory_ + "/swapd.sock";
    daemon->report_ = options.report;
    if (options.report.empty() && options.summary) {
        daemon->report_ = daemon->directory_ + "/report.json";
        daemon->report_is_ours_ = true;
    }
    const auto arguments =
        arguments_of(options, program, daemon->socket_, daemon->report_, writer.get());
    daemon->pid_ = ::fork();
    if (daemon->pid_ == 0) become_daemon(arguments, writer.get(), mask);
    writer.reset();
    if (daemon->pid_ < 0) {
        daemon->pid_ = 0;
        started.problem = std::string("no daemon can be started (") + std::strerror(errno) + ")";
        return started;
    }
    if (!is_ready(reader.get())) {
        int status = 0;
        ::waitpid(daemon->pid_, &status, 0);
        daemon->pid_ = 0;
        const bool usage = WIFEXITED(status) && WEXITSTATUS(status) == 2;
        started.outcome = usage ? Outcome::usage : Outcome::failed;
        started.problem = "its daemon could not start (the line above says why)";
        return started;
    }
    started.outcome = Outcome::started;
    started.daemon = std::move(daemon);
    return started;
}

PrivateDaemon::~PrivateDaemon() {
    if (pid_ > 0) {
        ask_to_stop();
        ::waitpid(pid_, nullptr, 0);
    }
    if (directory_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove(socket_, ignored);
    if (report_is_ours_) std::filesystem::remove(report_, ignored);
    std::filesystem::remove(directory_, ignored);
}

void PrivateDaemon::ask_to_stop() {
    if (pid_ > 0) ::kill(pid_, SIGTERM);
}

}  // namespace ciuic::cli
