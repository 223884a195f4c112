// SPDX-License-Identifier: Apache-2.0
//
// Workers on the engine's own thread: a job is done when its result is asked for. While they are
// held, a move stays in its stage.
//
// Threads: one.
#pragma once

#include "engine/workers.hpp"
#include "store/tag.hpp"

#include <algorithm>
#include <vector>

namespace ciuic::test {

class HeldWorkers final : public Workers {
public:
    bool held = false;

    void submit(const Job& job) override { jobs_.push_back(job); }
    size_t drain(std::span<uint64_t> tokens) override {
        if (held) return 0;
        const size_t moved = std::min(tokens.size(), jobs_.size());
        for (size_t index = 0; index < moved; ++index) {
            const Job& job = jobs_[index];
            if (job.kind == JobKind::hash)
                hash_blocks(job.data, job.block_bytes, job.hashes);
            else
                std::fill(job.data.begin(), job.data.end(), std::byte{});
            tokens[index] = job.token;
        }
        jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(moved));
        return moved;
    }
    int event_fd() const override { return -1; }
    size_t waiting() const { return jobs_.size(); }

private:
    std::vector<Job> jobs_;
};

}  // namespace ciuic::test
