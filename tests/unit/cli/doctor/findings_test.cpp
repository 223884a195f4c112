// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/findings.hpp"

#include "tests/unit/cli/doctor/machines.hpp"

#include <gtest/gtest.h>

#include <set>
#include <span>

namespace ciuic::cli::doctor::test {
namespace {

using Change = void (*)(Facts&);

Finding found(const Facts& facts, const std::string& id) {
    for (const Finding& finding : find(facts))
        if (finding.id == id) return finding;
    ADD_FAILURE() << "no finding " << id;
    return {};
}

Finding found_with(Change change, const std::string& id) {
    Facts facts = good_machine();
    change(facts);
    return found(facts, id);
}

// Goal: nothing is wrong with a machine that is right. Method: one, as root and as a user whose
// daemon hands the descriptor over.
TEST(Findings, GoodMachineIsAllOk) {
    Facts facts = good_machine();
    for (const Finding& finding : find(facts)) {
        EXPECT_EQ(finding.state, State::ok) << finding.id;
        EXPECT_TRUE(finding.remedies.empty()) << finding.id;
    }
    take_userfaultfd_away(facts);
    facts.daemon.state = DaemonFacts::State::serves;
    EXPECT_FALSE(any_fails(find(facts)));
    EXPECT_NE(found(facts, "rights.userfaultfd").what.find("hands it over"), std::string::npos);
}

// Goal: programs can tell findings apart, and people are told why, and what to do where something
// is not right. Method: the worst machine; all findings of it.
TEST(Findings, EachHasANameAReasonAndARemedy) {
    std::set<std::string> ids;
    for (const Finding& finding : find(bad_machine())) {
        EXPECT_TRUE(ids.insert(finding.id).second) << finding.id;
        EXPECT_FALSE(finding.why.empty()) << finding.id;
        EXPECT_EQ(finding.state == State::ok, finding.remedies.empty()) << finding.id;
        EXPECT_EQ(finding.what.find('\n'), std::string::npos) << finding.id;
    }
    EXPECT_TRUE(any_fails(find(bad_machine())));
}

// Changes of several facts.

void old_wsl(Facts& f) {
    f.kernel = {"5.15-microsoft-standard-WSL2", features_of("5.15")};
    f.place.is_wsl = true;
}

void no_device(Facts& f) {
    take_userfaultfd_away(f);
    f.userfault.device_exists = false;
}

void no_device_in_container(Facts& f) {
    take_userfaultfd_away(f);
    f.userfault.device_exists = false;
    f.place.container = "podman";
}

void no_userfaultfd(Facts& f) {
    take_userfaultfd_away(f);
    f.kernel.features.refusal.os_error = ENOSYS;
}

void shmem_denied(Facts& f) {
    f.memory.huge_pages_free = 0;
    f.memory.tmpfs_gives_huge = false;
    f.memory.shmem_huge = "deny";
}

void ring_filtered_in_container(Facts& f) {
    f.io = {EPERM, 0};
    f.place.container = "docker";
}

struct Case {
    Change change;
    const char* id;
    State state;
    const char* remedy;  // a part of one of them
};

// clang-format off
constexpr Case kernel_and_rights[] = {
    {[](Facts& f) { f.kernel = {"5.15", features_of("5.15")}; },
     "kernel.shared", State::fail, "boot Linux 6.4 or newer"},
    {[](Facts& f) { f.kernel = {"6.1", features_of("6.1")}; },
     "kernel.poison", State::warn, "Linux 6.6"},
    {[](Facts& f) { f.kernel = {"6.6", features_of("6.6")}; },
     "kernel.embedded", State::warn, "Linux 6.8"},
    {old_wsl,
     "kernel.shared", State::fail, "wsl --update"},
    {[](Facts& f) { take_userfaultfd_away(f); }, "rights.userfaultfd", State::fail,
     "setfacl -m u:ada:rw /dev/userfaultfd"},
    {[](Facts& f) { take_userfaultfd_away(f); }, "rights.userfaultfd", State::fail,
     "ciuic-swapd --budget SIZE --socket-mode 0666"},
    {no_device,
     "rights.userfaultfd", State::fail, "sysctl vm.unprivileged_userfaultfd=1"},
    {no_device_in_container,
     "rights.userfaultfd", State::fail, "podman run --device /dev/userfaultfd"},
    {no_userfaultfd,
     "rights.userfaultfd", State::fail, "CONFIG_USERFAULTFD"},
    {[](Facts& f) { f.daemon.state = DaemonFacts::State::closed; }, "rights.daemon", State::warn,
     "socket_mode"},
    {[](Facts& f) { f.daemon.state = DaemonFacts::State::refuses; }, "rights.daemon", State::fail,
     "journalctl"},
};
// clang-format on

// clang-format off
constexpr Case memory_and_limits[] = {
    {[](Facts& f) { f.memory.available_bytes = GiB; }, "memory.budget", State::warn,
     "--budget 768MiB"},
    {[](Facts& f) { f.budget_bytes = 17 * GiB; }, "memory.budget", State::fail, "--budget"},
    {[](Facts& f) { f.memory.limit_bytes = GiB; }, "memory.limit", State::fail, "--budget 768MiB"},
    {[](Facts& f) { f.memory.limit_bytes = 5 * GiB / 2; }, "memory.limit", State::warn,
     "raise the limit"},
    {[](Facts& f) { f.memory.may_mount = false; }, "memory.frames", State::warn, "root"},
    {shmem_denied,
     "memory.frames", State::warn, "shmem_enabled"},
    {[](Facts& f) { f.memory.huge_pages_free = 1000; }, "memory.huge_pages", State::warn,
     "sudo sysctl vm.nr_hugepages=1124"},
    {[](Facts& f) { f.memory.huge_page_bytes = GiB; }, "memory.huge_pages", State::warn,
     "hugepagesz=2M"},
    {[](Facts& f) { f.memory.huge_page_bytes = 0; }, "memory.huge_pages", State::warn,
     "CONFIG_HUGETLBFS"},
    {[](Facts& f) { f.limits.nofile_hard = 256; }, "limits.nofile", State::warn, "prlimit"},
    {[](Facts& f) { f.limits.nofile_hard = 64; }, "limits.nofile", State::fail, "LimitNOFILE"},
    {[](Facts& f) { f.io.ring_error = ENOMEM; }, "limits.memlock", State::warn, "memlock"},
    {[](Facts& f) { f.limits.max_map_count = 1024; }, "limits.map_count", State::warn,
     "sysctl vm.max_map_count=65530"},
};
// clang-format on

// clang-format off
constexpr Case disk[] = {
    {[](Facts& f) { f.store.error = EACCES; }, "store.place", State::fail, "--swap-dir DIR"},
    {[](Facts& f) { f.store.file_system = "tmpfs"; }, "store.file_system", State::fail,
     "--swap-dir DIR"},
    {[](Facts& f) { f.store.file_system = "overlayfs"; }, "store.file_system", State::warn,
     "-v /var/tmp:/var/tmp"},
    {[](Facts& f) { f.store.file_system = "btrfs"; }, "store.file_system", State::warn,
     "chattr +C"},
    {[](Facts& f) { f.store.is_direct = false; }, "store.file_system", State::warn, "ext4"},
    {[](Facts& f) { f.store.free_bytes = 7 * GiB; }, "store.room", State::warn, "more room"},
    {[](Facts& f) { f.store.free_bytes = GiB; }, "store.room", State::fail, "more room"},
    {[](Facts& f) { f.store.rate.read_64kib_us = 9000; }, "store.rate", State::warn, "SSD"},
    {[](Facts& f) { f.store.rate.write_mb_per_s = 20; }, "store.rate", State::warn, "SSD"},
    {[](Facts& f) { f.io = {EPERM, 2}; },
     "io.ring", State::warn, "sysctl kernel.io_uring_disabled=0"},
    {[](Facts& f) { f.io = {EPERM, 0}; },
     "io.ring", State::warn, "SystemCallFilter="},
    {ring_filtered_in_container,
     "io.ring", State::warn, "docker run --security-opt seccomp="},
};
// clang-format on

void expect_named(std::span<const Case> cases) {
    for (const Case& entry : cases) {
        SCOPED_TRACE(std::string(entry.id) + ": " + entry.remedy);
        const Finding finding = found_with(entry.change, entry.id);
        EXPECT_EQ(finding.state, entry.state) << finding.what;
        bool named = false;
        for (const std::string& remedy : finding.remedies)
            named |= remedy.find(entry.remedy) != std::string::npos;
        EXPECT_TRUE(named);
    }
}

// Goal: each thing that is wrong is found by itself, judged, and has the command that helps.
// Method: a good machine with one change.
TEST(Findings, NameWhatIsWrongWithKernelAndRights) { expect_named(kernel_and_rights); }
TEST(Findings, NameWhatIsWrongWithMemoryAndLimits) { expect_named(memory_and_limits); }
TEST(Findings, NameWhatIsWrongWithTheDisk) { expect_named(disk); }

// Goal: what is not wrong is not reproached. Method: changes that only look bad.
TEST(Findings, LeaveAloneWhatIsFine) {
    const struct {
        Change change;
        const char* id;
        const char* what;  // a part of it
    } cases[] = {
        {[](Facts& f) { f.memory.huge_pages_free = 0; }, "memory.frames", "tmpfs-huge"},
        {[](Facts&) {}, "memory.frames", "hugetlb"},
        {[](Facts& f) { f.memory.limit_bytes = 4 * GiB; }, "memory.limit", "4GiB"},
        {[](Facts& f) { f.limits.memlock_bytes = 64 * KiB; }, "limits.memlock", "64KiB"},
        {[](Facts& f) { f.limits.nofile_hard = unlimited; }, "limits.nofile", "unlimited"},
        {[](Facts& f) { f.store.rate = {}; }, "store.rate", "not measured"},
        {[](Facts& f) { f.place.is_wsl = true; }, "place.wsl", "WSL"},
        {[](Facts& f) { f.place.container = "lxc"; }, "place.container", "lxc"},
        {[](Facts& f) { f.userfault.device_error = ENOENT; }, "rights.userfaultfd",
         "userfaultfd(2)"},
    };
    for (const auto& entry : cases) {
        SCOPED_TRACE(std::string(entry.id) + ": " + entry.what);
        const Finding finding = found_with(entry.change, entry.id);
        EXPECT_EQ(finding.state, State::ok);
        EXPECT_NE(finding.what.find(entry.what), std::string::npos) << finding.what;
    }
}

}  // namespace
}  // namespace ciuic::cli::doctor::test
