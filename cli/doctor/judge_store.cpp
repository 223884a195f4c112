// SPDX-License-Identifier: Apache-2.0
#include "base/size_text.hpp"
#include "cli/doctor/findings.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ciuic::cli::doctor {
namespace {

// A disk that turns reads 100-250 MB/s and takes 5-10 ms to a place; the slowest of the others
// are above and below that by a factor of two at least.
constexpr double slow_mb_per_s = 150;
constexpr double slow_64kib_us = 2000;

// What a daemon asks for by default is 16 times the budget; below a few times paging is of no use.
constexpr uint64_t budgets_of_room = 4;

std::string another_place() { return "name a directory on a disk: --swap-dir DIR (--store DIR)"; }

Finding judge_writable(const Facts& facts) {
    const StoreFacts& store = facts.store;
    Finding finding{"store.place",
                    State::ok,
                    "a swap file can be made in " + store.path + " (" + store.file_system + ")",
                    "cold memory lies in a file there",
                    {}};
    if (store.error == 0) return finding;
    finding.state = State::fail;
    finding.what = "no swap file can be made in " + store.path + ": " + std::strerror(store.error);
    finding.remedies = {another_place()};
    if (store.error == ENOENT) finding.remedies.push_back("sudo mkdir -m 1777 " + store.path);
    return finding;
}

Finding judge_file_system(const Facts& facts) {
    const StoreFacts& store = facts.store;
    const std::string& kind = store.file_system;
    Finding finding{"store.file_system",
                    State::ok,
                    store.path + " is on " + kind,
                    "the swap file is read and written past the page cache, in large pieces",
                    {}};
    if (kind == "tmpfs" || kind == "ramfs") {
        finding.state = State::fail;
        finding.what += ": what is moved out stays in memory";
        finding.remedies = {another_place()};
    } else if (kind == "overlayfs") {
        finding.state = State::warn;
        finding.what += ", a container's own layer: it goes with the container, and may be slow";
        finding.remedies = {container_option(facts, "-v /var/tmp:" + store.path)};
    } else if (kind == "btrfs") {
        finding.state = State::warn;
        finding.what += ", which copies what is written over";
        finding.remedies = {"sudo mkdir -m 1777 /var/ciuic && sudo chattr +C /var/ciuic, and name "
                            "it: --swap-dir /var/ciuic (--store /var/ciuic)"};
    } else if (kind == "nfs" || kind == "9p" || kind == "fuse" || kind == "cifs") {
        finding.state = State::warn;
        finding.what += ", which is not a disk of this machine";
        finding.remedies = {another_place()};
    }
    if (finding.state == State::ok && store.error == 0 && !store.is_direct) {
        finding.state = State::warn;
        finding.what += ", which refuses O_DIRECT: the page cache takes memory besides the budget";
        finding.remedies = {another_place() + ", with ext4 or xfs"};
    }
    return finding;
}

Finding judge_room(const Facts& facts) {
    const StoreFacts& store = facts.store;
    Finding finding{"store.room",
                    State::ok,
                    std::string(format_size(store.free_bytes).data()) + " are free in " +
                        store.path + "; the budget is " + format_size(facts.budget_bytes).data(),
                    "all that is promised to programs must fit into the swap file",
                    {}};
    if (store.free_bytes >= budgets_of_room * facts.budget_bytes) return finding;
    finding.state = store.free_bytes < facts.budget_bytes ? State::fail : State::warn;
    finding.remedies = {another_place() + ", with more room",
                        "sudo du -xh --max-depth=2 " + store.path + ", and remove what is old"};
    return finding;
}

Finding judge_rate(const Facts& facts) {
    const DiskRate& rate = facts.store.rate;
    Finding finding{"store.rate",
                    State::ok,
                    "the disk's rate was not measured",
                    "paging is as fast as the disk",
                    {}};
    if (!rate.is_measured) return finding;
    char text[160];
    std::snprintf(text, sizeof text,
                  "%.0f MB/s read, %.0f MB/s written, 64 KiB in %.0f us (one at a time)",
                  rate.read_mb_per_s, rate.write_mb_per_s, rate.read_64kib_us);
    finding.what = text;
    if (rate.read_mb_per_s >= slow_mb_per_s && rate.write_mb_per_s >= slow_mb_per_s &&
        rate.read_64kib_us <= slow_64kib_us)
        return finding;
    finding.state = State::warn;
    finding.what += ": slow, or busy";
    finding.remedies = {"name a directory on an SSD: --swap-dir DIR (--store DIR)"};
    return finding;
}

Finding judge_ring(const Facts& facts) {
    const IoFacts& io = facts.io;
    Finding finding{"io.ring",
                    State::ok,
                    "I/O by io_uring",
                    "io_uring keeps the disk busy with fewer threads and switches",
                    {}};
    if (io.ring_error == 0) return finding;
    finding.state = State::warn;
    finding.what =
        std::string("I/O by threads: io_uring is refused (") + std::strerror(io.ring_error) + ")";
    if (io.disabled_setting > 0) {
        finding.what += ", kernel.io_uring_disabled is " + std::to_string(io.disabled_setting);
        finding.remedies = {"sudo sysctl kernel.io_uring_disabled=0"};
    } else if (io.ring_error == ENOMEM) {
        finding.remedies = {"see limits.memlock"};
    } else if (!facts.place.container.empty()) {
        finding.remedies = {container_option(facts, "--security-opt seccomp=PROFILE") +
                            ", with a profile that allows io_uring_setup, io_uring_enter and "
                            "io_uring_register"};
    } else {
        finding.remedies = {"allow io_uring_setup, io_uring_enter and io_uring_register in the "
                            "seccomp filter around this process (systemd: SystemCallFilter=)"};
    }
    return finding;
}

}  // namespace

std::vector<Finding> judge_store(const Facts& facts) {
    if (facts.store.error != 0) return {judge_writable(facts), judge_ring(facts)};
    return {judge_writable(facts), judge_file_system(facts), judge_room(facts), judge_rate(facts),
            judge_ring(facts)};
}

}  // namespace ciuic::cli::doctor
