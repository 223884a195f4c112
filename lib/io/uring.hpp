// SPDX-License-Identifier: Apache-2.0
//
// The I/O port on io_uring.
//
// Completions are run by the owner's thread when it enters the kernel (cooperative task run), so
// that they never interrupt it. Not with deferred task run: the ring's descriptor does not wake a
// poller then (Linux 6.18: 2 MiB reads took the 100 ms of the poll instead of 0.7 ms). A registered
// eventfd would, at a system call per drain() and no gain in throughput (measured). Neither the
// file nor the buffers are registered: with huge-page buffers that gains nothing (measured).
//
// Threads: one, the owner's: the one of the first submit(), flush(), cancel() or drain(). Creation
// in another thread is fine. The destructor waits for the requests in flight, so it runs on the
// owner's thread unless there are none. No allocation after creation.
#pragma once

#include "io/io.hpp"

#include <liburing.h>

#include <memory>

namespace ciuic {

class UringIo final : public Io {
public:
    // `fd` stays the caller's and must outlive this. Errors: invalid (depth outside
    // 1 .. limits::io_depth_max), io (the kernel refuses a ring; os_error says why).
    static Result<std::unique_ptr<Io>> create(int fd, uint32_t depth);
    ~UringIo() override;
    UringIo(const UringIo&) = delete;
    UringIo& operator=(const UringIo&) = delete;

    Status submit(const IoRequest& request) override;
    void flush() override;
    void cancel(uint64_t token) override;
    size_t drain(std::span<IoResult> results) override;
    int event_fd() const override { return ring_.ring_fd; }
    uint32_t depth() const override { return depth_; }
    const char* name() const override { return "io_uring"; }

private:
    struct Slot {
        uint64_t token = 0;
        uint64_t key = 0;  // the kernel's name for the request; 0: the slot is free
    };

    UringIo(int fd, uint32_t depth);
    int set_up();
    void enable();
    io_uring_cqe* peek();
    bool next_result(IoResult& result);

    int fd_;
    uint32_t depth_;
    io_uring ring_{};
    bool ready_ = false;    // the ring exists
    bool enabled_ = false;  // and is bound to the owner's thread
    uint32_t in_flight_ = 0;
    uint32_t cancels_ = 0;   // cancel requests in flight, at most depth_
    uint64_t sequence_ = 0;  // makes each key unique: a late cancel never hits a later request
    std::unique_ptr<Slot[]> slots_;
};

}  // namespace ciuic
