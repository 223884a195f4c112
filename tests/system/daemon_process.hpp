// SPDX-License-Identifier: Apache-2.0
//
// A real ciuic-swapd as a child process: started, asked for its report, killed, started again on
// the same socket; and what the kernel says it holds.
//
// Threads: one.
#pragma once

#include "base/units.hpp"

#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ciuic::test {

// For whatever must happen, however loaded the machine is.
inline constexpr Nanos plenty{60'000'000'000};

Nanos now();
// For looking again, and for a moment that is to be any: never instead of an event.
void pause(Nanos length);

// Calls `done` until it says true. False: `wait_max` is over.
template <typename Done> bool await(Done done, Nanos wait_max = plenty) {
    for (const Nanos end = now() + wait_max; !done();) {
        if (now() >= end) return false;
        pause({1'000'000});
    }
    return true;
}

// What /proc says of a process; -1 where it says nothing.
int64_t count_fds(pid_t pid);
int64_t status_kib(pid_t pid, const std::string& field);  // of /proc/<pid>/status
int64_t count_maps(pid_t pid, const std::string& of);     // lines with the text `of`
// Blocks in use of the detached tmpfs that the process holds.
int64_t tmpfs_bytes(pid_t pid);
// A thread of the process sleeps in a kernel function with this text in its name: "userfault" where
// it waits for its pager.
bool waits_in(pid_t pid, const std::string& function);
bool is_stopped(pid_t pid);

// A directory that goes with its owner.
class Scratch {
public:
    explicit Scratch(const std::string& parent);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

class DaemonProcess {
public:
    // `directory` takes the socket, the report and the log. The daemon dies with this thread.
    explicit DaemonProcess(std::string directory) : directory_(std::move(directory)) {}
    ~DaemonProcess();
    DaemonProcess(const DaemonProcess&) = delete;
    DaemonProcess& operator=(const DaemonProcess&) = delete;

    // A cgroup's directory for all lives from the next on; empty: that of this process.
    void set_cgroup(std::string directory) { cgroup_ = std::move(directory); }

    // --socket and --report are given. False: it has ended; status() and log() say how and why.
    bool start(const std::vector<std::string>& arguments);
    void signal(int signal) const;
    // Waits for its end: the exit status, or minus the signal.
    int wait();
    int kill();  // SIGKILL, and wait()
    bool has_ended();

    pid_t pid() const { return pid_; }  // 0: none
    int status() const { return status_; }
    std::string socket() const { return directory_ + "/s"; }
    std::string log() const;  // all that it has said on its standard error, of all its lives
    // Asked for now. Null: none came in time.
    nlohmann::json report() const;
    nlohmann::json last_report() const;  // as it was written last

private:
    std::string directory_;
    std::string cgroup_;
    pid_t pid_ = 0;
    int status_ = 0;
};

}  // namespace ciuic::test
