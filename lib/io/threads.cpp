// SPDX-License-Identifier: Apache-2.0
#include "io/threads.hpp"

#include "limits.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ciuic {

namespace {

// Four 2 MiB requests in flight fill a virtio disk; 16 threads fill it with 4 KiB requests
// (measured, fio psync).
constexpr uint32_t threads_max = 16;

}  // namespace

Result<std::unique_ptr<Io>> ThreadIo::create(int fd, uint32_t depth) {
    if (depth == 0 || depth > limits::io_depth_max)
        return Error{Errc::invalid, 0, "I/O depth outside 1 .. limits::io_depth_max"};
    CIUIC_TRY(std::unique_ptr<Pool> pool,
              Pool::create("ciuic-io", std::min(depth, threads_max), depth, transfer));
    return std::unique_ptr<Io>(new ThreadIo(fd, std::move(pool)));
}

Status ThreadIo::submit(const IoRequest& request) {
    if (!pool_->submit({fd_, request})) return Error{Errc::busy, 0, "I/O depth is used up"};
    return {};
}

void ThreadIo::cancel(uint64_t token) {
    pool_->withdraw([token](const Transfer& waiting) { return waiting.request.token == token; },
                    {token, -ECANCELED});
}

IoResult ThreadIo::transfer(const Transfer& transfer) {
    const IoRequest& request = transfer.request;
    const auto offset = static_cast<off_t>(request.offset_bytes);
    ssize_t moved = 0;
    do {
        moved = request.op == IoOp::read
                    ? ::pread(transfer.fd, request.data, request.length_bytes, offset)
                    : ::pwrite(transfer.fd, request.data, request.length_bytes, offset);
    } while (moved < 0 && errno == EINTR);
    return {request.token, moved < 0 ? -static_cast<int64_t>(errno) : moved};
}

}  // namespace ciuic
