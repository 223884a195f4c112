// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_workers.hpp"

#include "limits.hpp"
#include "store/tag.hpp"

#include <algorithm>
#include <cstring>

namespace ciuic::sim {

SimWorkers::SimWorkers(Random random, Trace& trace) : random_(random), trace_(trace) {
    jobs_.reserve(limits::jobs_max);
    done_.reserve(limits::jobs_max);
}

void SimWorkers::submit(const Job& job) {
    if (under_way() >= limits::jobs_max) fail("more than %u jobs", limits::jobs_max);
    if (job.data.empty() || job.data.size() % job.block_bytes != 0)
        fail("a job's bytes are not made of blocks");
    if (job.kind == JobKind::hash && job.hashes.size() != job.data.size() / job.block_bytes)
        fail("a job has a wrong number of hashes");
    trace_.note(job.kind == JobKind::hash ? "hash" : "zero", job.token);
    jobs_.push_back({.job = job});
}

bool SimWorkers::step() {
    if (jobs_.empty()) return false;
    const size_t which = random_.below(jobs_.size());
    Running& running = jobs_[which];
    const Job& job = running.job;
    const uint64_t offset_bytes = running.next_block * job.block_bytes;
    if (offset_bytes == job.data.size()) {
        done_.push_back(job.token);
        running = jobs_.back();
        jobs_.pop_back();
        return true;
    }
    const std::span<std::byte> block = job.data.subspan(offset_bytes, job.block_bytes);
    if (job.kind == JobKind::zero)
        std::memset(block.data(), 0, block.size());
    else
        hash_blocks(block, job.block_bytes, job.hashes.subspan(running.next_block, 1));
    ++running.next_block;
    return true;
}

size_t SimWorkers::drain(std::span<uint64_t> tokens) {
    size_t count = 0;
    while (count < tokens.size() && !done_.empty()) {
        const size_t which = random_.below(done_.size());
        tokens[count++] = done_[which];
        done_[which] = done_.back();
        done_.pop_back();
    }
    return count;
}

bool SimWorkers::uses(JobKind kind, std::span<const std::byte> bytes) const {
    return std::any_of(jobs_.begin(), jobs_.end(), [&](const Running& running) {
        return running.job.kind == kind &&
               overlap(running.job.data.data(), running.job.data.size(), bytes);
    });
}

bool SimWorkers::writes_to(std::span<const std::byte> bytes) const {
    return uses(JobKind::zero, bytes);
}

bool SimWorkers::reads_from(std::span<const std::byte> bytes) const {
    return uses(JobKind::hash, bytes);
}

}  // namespace ciuic::sim
