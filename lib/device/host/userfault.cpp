// SPDX-License-Identifier: Apache-2.0
#include "device/host/userfault.hpp"

#include "device/host/userfault_abi.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace ciuic::userfault {

Error refusal(const char* what, int os_error) {
    switch (os_error) {
    case ENOENT:
    case ESRCH: return {Errc::disconnected, os_error, what};
    case EAGAIN:
    case EBUSY: return {Errc::busy, os_error, what};
    case ENOMEM: return {Errc::no_memory, os_error, what};
    default: return os_refusal(what, os_error);
    }
}

Status wake(int uffd, uint64_t address, uint64_t length_bytes) {
    uffdio_range range{address, length_bytes};
    if (::ioctl(uffd, UFFDIO_WAKE, &range) != 0) return refusal("UFFDIO_WAKE", errno);
    return {};
}

Status write_protect(int uffd, uint64_t address, uint64_t length_bytes, bool on) {
    uffdio_writeprotect request{};
    request.range = {address, length_bytes};
    request.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
    int refused = 0;
    for (uint32_t tries = 0; tries < tries_max; ++tries) {
        if (::ioctl(uffd, UFFDIO_WRITEPROTECT, &request) == 0) return {};
        refused = errno;
        if (refused != EAGAIN) break;
    }
    return refusal("UFFDIO_WRITEPROTECT", refused);
}

namespace {

// Walks a range with an ioctl that reports bytes done or a negative error. Pages that exist are
// stepped over; `existed` says whether there were any.
template <typename Request>
Status walk(const char* what, uint64_t address, uint64_t length_bytes, uint64_t page_bytes,
            bool& existed, Request request) {
    uint64_t done = 0;
    uint32_t tries = 0;
    while (done < length_bytes) {
        int64_t progress = 0;
        if (request(address + done, length_bytes - done, progress) == 0) return {};
        const int refused = errno;
        if (progress > 0) {
            done += static_cast<uint64_t>(progress);
            tries = 0;
        } else if (refused == EEXIST) {
            existed = true;
            done += page_bytes;
        } else if (refused != EAGAIN || ++tries == tries_max) {
            return refusal(what, refused);
        }
    }
    return {};
}

}  // namespace

Status map_present(int uffd, uint64_t address, uint64_t length_bytes, uint64_t page_bytes,
                   bool writable) {
    bool existed = false;
    const auto map = [&](uint64_t begin, uint64_t length, int64_t& progress) {
        uffdio_continue request{};
        request.range = {begin, length};
        request.mode = writable ? 0 : UFFDIO_CONTINUE_MODE_WP;
        const int result = ::ioctl(uffd, UFFDIO_CONTINUE, &request);
        progress = request.mapped;
        return result;
    };
    CIUIC_TRY_STATUS(walk("UFFDIO_CONTINUE", address, length_bytes, page_bytes, existed, map));
    // The kernel woke whoever waits at what it mapped, not at what it found mapped.
    if (!existed) return {};
    return writable ? write_protect(uffd, address, length_bytes, false)
                    : wake(uffd, address, length_bytes);
}

Status poison(int uffd, uint64_t address, uint64_t length_bytes, uint64_t page_bytes) {
    bool existed = false;
    const auto mark = [&](uint64_t begin, uint64_t length, int64_t& progress) {
        abi::UffdioPoison request{};
        request.range = {begin, length};
        const int result = ::ioctl(uffd, abi::uffdio_poison, &request);
        progress = request.updated;
        return result;
    };
    const Status marked = walk("UFFDIO_POISON", address, length_bytes, page_bytes, existed, mark);
    if (!marked.has_value()) {
        const int refused = marked.error().os_error;
        if (refused == ENOTTY || refused == EINVAL)
            return Error{Errc::unsupported, refused, "UFFDIO_POISON needs Linux 6.6"};
        return marked;
    }
    return existed ? wake(uffd, address, length_bytes) : Status{};
}

size_t read_messages(int uffd, std::span<uffd_msg> messages) {
    iovec into{messages.data(), messages.size_bytes()};
    ssize_t bytes = ::preadv2(uffd, &into, 1, -1, RWF_NOWAIT);
    if (bytes < 0 && errno == EOPNOTSUPP) bytes = ::read(uffd, messages.data(), into.iov_len);
    return bytes > 0 ? static_cast<size_t>(bytes) / sizeof(uffd_msg) : 0;
}

}  // namespace ciuic::userfault
