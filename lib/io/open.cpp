// SPDX-License-Identifier: Apache-2.0
#include "io/open.hpp"

#include "io/threads.hpp"
#include "io/uring.hpp"

#include <cerrno>

namespace ciuic {

namespace {

// Not built in; kernel.io_uring_disabled or a seccomp filter; a security module; the locked-memory
// limit of old kernels.
bool is_refused_by_machine(const Error& error) {
    return error.os_error == ENOSYS || error.os_error == EPERM || error.os_error == EACCES ||
           error.os_error == ENOMEM;
}

}  // namespace

Result<std::unique_ptr<Io>> open_io(int fd, uint32_t depth, IoKind kind) {
    if (kind == IoKind::threads) return ThreadIo::create(fd, depth);
    auto ring = UringIo::create(fd, depth);
    if (ring.has_value() || kind == IoKind::uring || !is_refused_by_machine(ring.error()))
        return ring;
    return ThreadIo::create(fd, depth);
}

}  // namespace ciuic
