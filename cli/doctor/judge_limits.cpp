// SPDX-License-Identifier: Apache-2.0
#include "base/size_text.hpp"
#include "cli/doctor/findings.hpp"

#include <cerrno>

namespace ciuic::cli::doctor {
namespace {

// daemon/compose.cpp: descriptors of the daemon, and of each of its sessions.
constexpr uint64_t fds_of_daemon = 64;
constexpr uint64_t fds_per_session = 8;
constexpr uint64_t sessions_few = 64;

constexpr uint64_t map_count_default = 65530;  // the kernel's

Finding judge_nofile(const Facts& facts) {
    const uint64_t limit = facts.limits.nofile_hard;
    const uint64_t sessions = limit > fds_of_daemon ? (limit - fds_of_daemon) / fds_per_session : 0;
    Finding finding{"limits.nofile",
                    State::ok,
                    "open files: unlimited",
                    "the daemon holds eight descriptors of each client",
                    {}};
    if (limit != unlimited)
        finding.what = "open files: at most " + std::to_string(limit) + ", enough for " +
                       std::to_string(sessions) + " clients";
    if (sessions >= sessions_few) return finding;
    finding.state = sessions == 0 ? State::fail : State::warn;
    finding.remedies = {"sudo prlimit --pid $$ --nofile=4096:4096",
                        "for a service: LimitNOFILE=8192 in its unit"};
    return finding;
}

// Nothing here locks memory; only io_uring before Linux 5.12 counts its rings as locked.
Finding judge_memlock(const Facts& facts) {
    const uint64_t limit = facts.limits.memlock_bytes;
    Finding finding{"limits.memlock",
                    State::ok,
                    "locked memory: ",
                    "some kernels count the rings of io_uring as locked memory",
                    {}};
    finding.what +=
        limit == unlimited ? "unlimited" : std::string("at most ") + format_size(limit).data();
    if (facts.io.ring_error != ENOMEM) return finding;
    finding.state = State::warn;
    finding.what += ", too little for io_uring";
    finding.remedies = {"sudo prlimit --pid $$ --memlock=unlimited:unlimited",
                        "for a service: LimitMEMLOCK=infinity in its unit"};
    return finding;
}

Finding judge_map_count(const Facts& facts) {
    const uint64_t limit = facts.limits.max_map_count;
    Finding finding{"limits.map_count",
                    State::ok,
                    "mappings of a process: at most " + std::to_string(limit),
                    "programs with much memory make many mappings; at the limit malloc fails",
                    {}};
    if (limit == 0) finding.what = "mappings of a process: the limit is not known";
    if (limit == 0 || limit >= map_count_default) return finding;
    finding.state = State::warn;
    finding.remedies = {"sudo sysctl vm.max_map_count=" + std::to_string(map_count_default)};
    return finding;
}

}  // namespace

std::vector<Finding> judge_limits(const Facts& facts) {
    return {judge_nofile(facts), judge_memlock(facts), judge_map_count(facts)};
}

}  // namespace ciuic::cli::doctor
