// SPDX-License-Identifier: Apache-2.0
//
// The worker port on a pool of threads.
//
// Threads: as workers.hpp says. No allocation after creation.
#pragma once

#include "base/job_pool.hpp"
#include "engine/workers.hpp"

#include <memory>

namespace ciuic {

class WorkerPool final : public Workers {
public:
    // Errors: invalid (no threads), io (the system has no room for threads).
    static Result<std::unique_ptr<Workers>> create(uint32_t threads);

    void submit(const Job& job) override;
    size_t drain(std::span<uint64_t> tokens) override { return pool_->drain(tokens); }
    int event_fd() const override { return pool_->event_fd(); }

private:
    using Pool = JobPool<Job, uint64_t>;

    explicit WorkerPool(std::unique_ptr<Pool> pool) : pool_(std::move(pool)) {}
    static uint64_t work(const Job& job);

    std::unique_ptr<Pool> pool_;
};

}  // namespace ciuic
