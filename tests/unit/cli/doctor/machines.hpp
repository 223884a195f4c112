// SPDX-License-Identifier: Apache-2.0
//
// Made-up machines.
#pragma once

#include "base/units.hpp"
#include "cli/doctor/findings.hpp"

#include <cerrno>
#include <string>

namespace ciuic::cli::doctor::test {

// What the release's userfaultfd can do.
inline HostFeatures features_of(const std::string& release) {
    HostFeatures features;
    features.userfault = true;
    const bool is_5_15 = release == "5.15";
    const bool is_6_1 = release == "6.1";
    const bool is_6_6 = release == "6.6";
    features.minor_shared = features.minor_hugetlb = !is_5_15;
    features.continue_wp = features.poison = !is_5_15 && !is_6_1;
    features.move = !is_5_15 && !is_6_1 && !is_6_6;
    return features;
}

inline Facts good_machine() {
    Facts facts;
    facts.user = "ada";
    facts.budget_bytes = 2 * GiB;
    facts.kernel = {"6.18", features_of("6.18")};
    facts.userfault = {.device_exists = true, .device_error = 0};
    facts.memory = {.total_bytes = 16 * GiB,
                    .available_bytes = 12 * GiB,
                    .huge_page_bytes = 2 * MiB,
                    .huge_pages_total = 1100,
                    .huge_pages_free = 1024,
                    .shmem_huge = "never",
                    .limit_bytes = 0,
                    .limit_file = "",
                    .may_mount = true,
                    .tmpfs_gives_huge = true};
    facts.limits = {.memlock_bytes = unlimited, .nofile_hard = 20000, .max_map_count = 65530};
    facts.io = {.ring_error = 0, .disabled_setting = 0};
    facts.store = {.path = "/var/tmp",
                   .error = 0,
                   .file_system = "ext4",
                   .is_direct = true,
                   .free_bytes = 100 * GiB,
                   .rate = {true, 900, 2500, 80}};
    facts.daemon = {
        .socket = "/run/ciuic/swapd.sock", .state = DaemonFacts::State::none, .text = ""};
    return facts;
}

inline void take_userfaultfd_away(Facts& facts) {
    facts.kernel.features.userfault = false;
    facts.kernel.features.refusal = {Errc::unsupported, EPERM, "not allowed"};
    facts.userfault.device_error = EACCES;
}

// A machine on which all is well, but not for this user.
inline Facts users_machine() {
    Facts facts = good_machine();
    take_userfaultfd_away(facts);
    facts.memory.may_mount = false;
    facts.memory.tmpfs_gives_huge = false;
    return facts;
}

// An ordinary user in a container on an old kernel with everything else wrong, too.
inline Facts bad_machine() {
    Facts facts = good_machine();
    facts.kernel = {"6.1", features_of("6.1")};
    take_userfaultfd_away(facts);
    facts.userfault.device_exists = false;
    facts.memory.available_bytes = GiB;
    facts.memory.huge_pages_total = 10;
    facts.memory.huge_pages_free = 4;
    facts.memory.limit_bytes = GiB;
    facts.memory.limit_file = "/sys/fs/cgroup/memory.max";
    facts.memory.may_mount = false;
    facts.memory.tmpfs_gives_huge = false;
    facts.limits = {.memlock_bytes = 64 * KiB, .nofile_hard = 256, .max_map_count = 1024};
    facts.io = {.ring_error = EPERM, .disabled_setting = 0};
    facts.store.file_system = "overlayfs";
    facts.store.free_bytes = GiB;
    facts.store.rate = {true, 90.25, 110.5, 9000};
    facts.daemon.state = DaemonFacts::State::closed;
    facts.place.container = "docker";
    return facts;
}

}  // namespace ciuic::cli::doctor::test
