// SPDX-License-Identifier: Apache-2.0
//
// SimWorkers: jobs are worked on block by block at moments of the workers' choice and end in any
// order.
// Threads: one.
#pragma once

#include "base/random.hpp"
#include "engine/workers.hpp"
#include "tests/sim/parts.hpp"
#include "tests/sim/trace.hpp"

#include <vector>

namespace ciuic::sim {

class SimWorkers final : public Workers, public FrameUsers {
public:
    SimWorkers(Random random, Trace& trace);

    // Workers
    void submit(const Job& job) override;
    size_t drain(std::span<uint64_t> tokens) override;
    int event_fd() const override { return -1; }

    // FrameUsers
    bool writes_to(std::span<const std::byte> bytes) const override;
    bool reads_from(std::span<const std::byte> bytes) const override;

    // A block is worked on or a job ends. False: there is no job.
    bool step();
    bool has_results() const { return !done_.empty(); }
    uint32_t under_way() const { return static_cast<uint32_t>(jobs_.size() + done_.size()); }

private:
    struct Running {
        Job job;
        uint32_t next_block = 0;
    };

    bool uses(JobKind kind, std::span<const std::byte> bytes) const;

    Random random_;
    Trace& trace_;
    std::vector<Running> jobs_;
    std::vector<uint64_t> done_;
};

}  // namespace ciuic::sim
