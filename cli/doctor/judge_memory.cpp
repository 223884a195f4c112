// SPDX-License-Identifier: Apache-2.0
#include "base/size_text.hpp"
#include "base/units.hpp"
#include "cli/doctor/findings.hpp"

namespace ciuic::cli::doctor {
namespace {

std::string size(uint64_t bytes) { return format_size(bytes).data(); }

// A budget that leaves a quarter to the rest of the program, in whole MiB.
std::string smaller_budget(uint64_t of_bytes) {
    return "give a smaller budget: --budget " + std::to_string(of_bytes / 4 * 3 / MiB) + "MiB";
}

Finding judge_budget(const Facts& facts) {
    const MemoryFacts& memory = facts.memory;
    Finding finding{"memory.budget",
                    State::ok,
                    "a budget of " + size(facts.budget_bytes) + "; " +
                        size(memory.available_bytes) + " of " + size(memory.total_bytes) +
                        " are available",
                    "a budget is memory that is really used, at all times",
                    {}};
    if (facts.budget_bytes <= memory.available_bytes) return finding;
    finding.state = facts.budget_bytes > memory.total_bytes ? State::fail : State::warn;
    finding.remedies = {smaller_budget(memory.available_bytes)};
    return finding;
}

Finding judge_limit(const Facts& facts) {
    const MemoryFacts& memory = facts.memory;
    Finding finding{"memory.limit",
                    State::ok,
                    "no memory limit around this process",
                    "the kernel kills what outgrows its limit: budget, program and daemon together",
                    {}};
    if (memory.limit_bytes == 0) return finding;
    finding.what = "the memory limit around this process is " + size(memory.limit_bytes) + " (" +
                   memory.limit_file + ")";
    if (facts.budget_bytes <= memory.limit_bytes / 4 * 3) return finding;
    finding.state = facts.budget_bytes > memory.limit_bytes ? State::fail : State::warn;
    finding.what += ", the budget " + size(facts.budget_bytes);
    finding.remedies = {smaller_budget(memory.limit_bytes)};
    const uint64_t more_bytes = facts.budget_bytes / 3 * 4;
    finding.remedies.push_back(
        facts.place.container.empty()
            ? "raise the limit to " + size(more_bytes) + " or more"
            : container_option(facts, "--memory " + std::to_string(more_bytes / MiB) + "m"));
    return finding;
}

uint64_t huge_pages_needed(const Facts& facts) {
    const uint64_t page = facts.memory.huge_page_bytes;
    return page == 0 ? 0 : (facts.budget_bytes + page - 1) / page;
}

// As FrameKind::automatic chooses.
const char* frames_to_be_had(const Facts& facts) {
    const MemoryFacts& memory = facts.memory;
    if (!memory.may_mount) return "memfd-4k";
    if (memory.huge_page_bytes == 2 * MiB && memory.huge_pages_free >= huge_pages_needed(facts))
        return "hugetlb";
    return memory.tmpfs_gives_huge ? "tmpfs-huge" : "memfd-4k";
}

Finding judge_frames(const Facts& facts) {
    const std::string kind = frames_to_be_had(facts);
    Finding finding{"memory.frames",
                    State::ok,
                    "a daemon of user " + facts.user + " has frames of kind " + kind,
                    "huge frames are one piece for the disk, and hugetlb is mapped at once",
                    {}};
    if (kind != "memfd-4k") return finding;
    finding.state = State::warn;
    if (!facts.memory.may_mount) {
        finding.what += ": the user may not mount";
        finding.remedies = {"use a daemon that root has started"};
    } else if (facts.memory.shmem_huge == "deny") {
        finding.what += ": shmem_enabled is \"deny\"";
        finding.remedies = {
            "echo never | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled"};
    } else {
        finding.remedies = {"reserve huge pages (memory.huge_pages)"};
    }
    return finding;
}

Finding judge_huge_pages(const Facts& facts) {
    const MemoryFacts& memory = facts.memory;
    Finding finding{"memory.huge_pages",
                    State::ok,
                    "",
                    "reserved huge pages make the best frames: a chunk is mapped at once, and "
                    "allocation cannot fail",
                    {}};
    if (memory.huge_page_bytes == 0) {
        finding.state = State::warn;
        finding.what = "this kernel has no huge pages";
        finding.remedies = {"boot a kernel that is built with CONFIG_HUGETLBFS"};
        return finding;
    }
    const uint64_t needed = huge_pages_needed(facts);
    finding.what = std::to_string(memory.huge_pages_free) + " huge pages of " +
                   size(memory.huge_page_bytes) + " are free; the budget takes " +
                   std::to_string(needed);
    if (memory.huge_page_bytes != 2 * MiB) {
        finding.state = State::warn;
        finding.remedies = {"boot with hugepagesz=2M, the size of a chunk"};
    } else if (memory.huge_pages_free < needed) {
        finding.state = State::warn;
        const std::string total =
            std::to_string(memory.huge_pages_total + needed - memory.huge_pages_free);
        finding.remedies = {"sudo sysctl vm.nr_hugepages=" + total,
                            "for good: echo vm.nr_hugepages=" + total +
                                " | sudo tee /etc/sysctl.d/60-ciuic.conf"};
    }
    return finding;
}

}  // namespace

std::vector<Finding> judge_memory(const Facts& facts) {
    return {judge_budget(facts), judge_limit(facts), judge_frames(facts), judge_huge_pages(facts)};
}

}  // namespace ciuic::cli::doctor
