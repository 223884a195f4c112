// SPDX-License-Identifier: Apache-2.0
//
// The I/O port: asynchronous reads and writes of one file.
//
// Adapters: uring.cpp (io_uring), threads.cpp (a thread pool with pread and pwrite, where io_uring
// is refused), and the simulator's faulty disk. All pass tests/contract/io_contract.
//
// Not here: what the bytes mean, retries, integrity (store/).
// Threads: one, the owner's; only event_fd() may be waited on by anyone.
#pragma once

#include "base/result.hpp"
#include "base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

enum class IoOp : uint8_t { read, write };

// One transfer. `data` stays untouched by the caller until the result has been drained: a request
// that is late still owns its buffer. Offset, length and address are multiples of
// limits::granule_bytes when the file is open with O_DIRECT.
struct IoRequest {
    IoOp op = IoOp::read;
    uint64_t offset_bytes = 0;
    std::byte* data = nullptr;
    uint32_t length_bytes = 0;
    uint64_t token = 0;  // given back with the result; unique among the requests in flight
};

struct IoResult {
    uint64_t token = 0;
    int64_t result = 0;  // bytes transferred (may be short), or -errno
};

class Io {
public:
    virtual ~Io() = default;

    // Takes the request or refuses with Errc::busy when depth() requests are in flight. The
    // request may start at once or at flush().
    virtual Status submit(const IoRequest& request) = 0;

    // Starts everything that was submitted.
    virtual void flush() = 0;

    // Asks for an early end of a request. Its result still arrives (-ECANCELED or the real one).
    virtual void cancel(uint64_t token) = 0;

    // Moves finished requests into `results`; returns how many. Never blocks.
    virtual size_t drain(std::span<IoResult> results) = 0;

    // Readable while drain() would return something, and now and then for nothing.
    virtual int event_fd() const = 0;

    virtual uint32_t depth() const = 0;    // most requests in flight
    virtual const char* name() const = 0;  // "io_uring", "threads", ...
};

}  // namespace ciuic
