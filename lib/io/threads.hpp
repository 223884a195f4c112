// SPDX-License-Identifier: Apache-2.0
//
// The I/O port on a pool of threads with pread(2) and pwrite(2): for machines where io_uring is
// refused.
//
// A request that a thread has begun cannot be cancelled, only one that waits for a thread. The
// destructor waits for the requests that were begun.
// Threads: one, the owner's; its own threads take no signals. No allocation after creation.
#pragma once

#include "base/job_pool.hpp"
#include "io/io.hpp"

#include <memory>

namespace ciuic {

class ThreadIo final : public Io {
public:
    // `fd` stays the caller's and must outlive this. Errors: invalid (depth outside
    // 1 .. limits::io_depth_max), io (no room for threads).
    static Result<std::unique_ptr<Io>> create(int fd, uint32_t depth);

    Status submit(const IoRequest& request) override;
    void flush() override {}
    void cancel(uint64_t token) override;
    size_t drain(std::span<IoResult> results) override { return pool_->drain(results); }
    int event_fd() const override { return pool_->event_fd(); }
    uint32_t depth() const override { return pool_->capacity(); }
    const char* name() const override { return "threads"; }

private:
    struct Transfer {
        int fd = -1;
        IoRequest request;
    };
    using Pool = JobPool<Transfer, IoResult>;

    ThreadIo(int fd, std::unique_ptr<Pool> pool) : fd_(fd), pool_(std::move(pool)) {}
    static IoResult transfer(const Transfer& transfer);

    int fd_;
    std::unique_ptr<Pool> pool_;
};

}  // namespace ciuic
