// SPDX-License-Identifier: Apache-2.0
#include "tests/system/daemon_process.hpp"

#include "base/clock.hpp"
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ciuic::test {

namespace {

std::string proc(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + name; }

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// The paths of a process's descriptors; empty where it is gone.
std::vector<std::string> fd_paths(pid_t pid) {
    std::vector<std::string> paths;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(proc(pid, "/fd"), gone))
        paths.push_back(entry.path());
    return paths;
}

}  // namespace

Nanos now() { return MonotonicClock().now(); }

void pause(Nanos length) {
    const timespec timeout{length.value / 1'000'000'000, length.value % 1'000'000'000};
    ::ppoll(nullptr, 0, &timeout, nullptr);
}

int64_t count_fds(pid_t pid) { return static_cast<int64_t>(fd_paths(pid).size()); }

int64_t status_kib(pid_t pid, const std::string& field) {
    std::ifstream status(proc(pid, "/status"));
    for (std::string line; std::getline(status, line);)
        if (line.rfind(field + ":", 0) == 0) return std::atoll(line.c_str() + field.size() + 1);
    return -1;
}

int64_t count_maps(pid_t pid, const std::string& of) {
    std::ifstream maps(proc(pid, "/maps"));
    int64_t count = 0;
    for (std::string line; std::getline(maps, line);)
        if (line.find(of) != std::string::npos) ++count;
    return count;
}

int64_t tmpfs_bytes(pid_t pid) {
    for (const std::string& path : fd_paths(pid)) {
        std::error_code gone;
        // A detached mount has no place in the tree: its root is "/" of nowhere.
        if (std::filesystem::read_symlink(path, gone) != "/") continue;
        const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
        struct statfs facts {};
        if (!fd || ::fstatfs(fd.get(), &facts) != 0 || facts.f_type != TMPFS_MAGIC) continue;
        return static_cast<int64_t>(facts.f_blocks - facts.f_bfree) * facts.f_bsize;
    }
    return -1;
}

bool waits_in(pid_t pid, const std::string& function) {
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator(proc(pid, "/task"), gone))
        if (text_of(task.path() / "wchan").find(function) != std::string::npos) return true;
    return false;
}

bool is_stopped(pid_t pid) {
    return text_of(proc(pid, "/status")).find("State:\tT") != std::string::npos;
}

Scratch::Scratch(const std::string& parent) : path_(parent + "/ciuic-test-XXXXXX") {
    if (!::mkdtemp(path_.data())) std::abort();
}

Scratch::~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

DaemonProcess::~DaemonProcess() {
    if (pid_ > 0) kill();
}

bool DaemonProcess::start(const std::vector<std::string>& arguments) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) std::abort();
    const UniqueFd out(ready[0]);
    UniqueFd in(ready[1]);
    std::vector<std::string> all = {"ciuic-swapd",
                                    "--socket",
                                    socket(),
                                    "--report",
                                    directory_ + "/r.json",
                                    "--ready-fd",
                                    std::to_string(in.get())};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string log_path = directory_ + "/log";
    const std::string members = cgroup_.empty() ? "" : cgroup_ + "/cgroup.procs";
    pid_ = ::fork();
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::fcntl(in.get(), F_SETFD, 0);
        if (!members.empty()) {
            const int file = ::open(members.c_str(), O_WRONLY | O_CLOEXEC);
            if (::write(file, "0", 1) != 1) ::_exit(126);
        }
        const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDERR_FILENO);
        ::execv(CIUIC_BIN_DIR "/ciuic-swapd", argv.data());
        ::_exit(127);
    }
    in.reset();
    char byte = 0;
    if (::read(out.get(), &byte, 1) == 1) return true;
    wait();
    return false;
}

void DaemonProcess::signal(int signal) const { ::kill(pid_, signal); }

int DaemonProcess::wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return status_;
}

int DaemonProcess::kill() {
    signal(SIGKILL);
    return wait();
}

bool DaemonProcess::has_ended() {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
}

std::string DaemonProcess::log() const { return text_of(directory_ + "/log"); }

nlohmann::json DaemonProcess::report() const {
    std::filesystem::remove(directory_ + "/r.json");
    signal(SIGUSR1);
    if (!await([&] { return std::filesystem::exists(directory_ + "/r.json"); })) return {};
    return last_report();
}

nlohmann::json DaemonProcess::last_report() const {
    return nlohmann::json::parse(text_of(directory_ + "/r.json"), nullptr, false);
}

}  // namespace ciuic::test
