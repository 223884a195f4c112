// SPDX-License-Identifier: Apache-2.0
#include "interposer/pinned_reads.hpp"

#include "interposer/large.hpp"
#include "interposer/runtime.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace ciuic::interposer {

namespace {

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

constexpr size_t parts_max = 1024;  // IOV_MAX

bool is_managed(const void* address) {
    return may_be_managed(address) && !InsideCiuic::here() && owner_of(address) == Owner::session;
}

// Two file systems may hand the program's pages on without being asked for direct I/O.
bool may_go_past_cpu(int fd) {
    const InsideCiuic keeps_errno;
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return false;
    if (flags & O_DIRECT) return true;
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 &&
           (status.f_type == FUSE_SUPER_MAGIC || status.f_type == V9FS_MAGIC);
}

// Pins while it lives.
class Pins {
public:
    explicit Pins(std::span<const ciuic_range> ranges) : ranges_(ranges) {
        const InsideCiuic inside;
        status_ = ciuic_acquire(session_space().session, ranges.data(), ranges.size(), CIUIC_WRITE,
                                nullptr);
    }
    ~Pins() {
        const InsideCiuic inside;
        if (status_ == CIUIC_OK)
            ciuic_release(session_space().session, ranges_.data(), ranges_.size(), nullptr);
    }
    Pins(const Pins&) = delete;
    Pins& operator=(const Pins&) = delete;

    // 0 where the kernel may be asked: it has its own answer to memory that is not allocated.
    int error() const {
        switch (status_) {
        case CIUIC_OK:
        case CIUIC_E_RANGE: return 0;
        case CIUIC_E_DATA_LOST: return EIO;
        default: return ENOMEM;
        }
    }

private:
    std::span<const ciuic_range> ranges_;
    ciuic_status status_;
};

ciuic_range range_of(const void* address, size_t bytes) {
    return {nullptr, reinterpret_cast<uintptr_t>(address), bytes};
}

ssize_t read_at(int fd, void* to, size_t bytes, off64_t offset) {
    if (offset == at_position) return ::syscall(SYS_read, fd, to, bytes);
    return ::syscall(SYS_pread64, fd, to, bytes, offset);
}

}  // namespace

bool needs_pins(int fd, void* to) { return is_managed(to) && may_go_past_cpu(fd); }

bool needs_pins(int fd, std::span<const iovec> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [](const iovec& part) { return is_managed(part.iov_base); }) &&
           may_go_past_cpu(fd);
}

ssize_t read_pinned(int fd, void* to, size_t bytes, off64_t offset) {
    const SessionSpace& space = session_space();
    const uintptr_t begin = reinterpret_cast<uintptr_t>(to) - space.base;
    // What the kernel reads in one call; and nothing past the end of the space.
    bytes = std::min<uint64_t>({bytes, 0x7ffff000, space.bytes - begin});
    size_t done = 0;
    do {
        const uint64_t left_in_chunk = space.chunk_bytes - (begin + done) % space.chunk_bytes;
        const size_t piece = std::min<uint64_t>(bytes - done, left_in_chunk);
        char* place = static_cast<char*>(to) + done;
        const ciuic_range range = range_of(place, std::max<size_t>(piece, 1));
        const Pins pins({&range, 1});
        ssize_t got = -1;
        if (const int error = pins.error(); error != 0)
            errno = error;
        else
            got = read_at(fd, place, piece,
                          offset == at_position ? offset : offset + static_cast<off64_t>(done));
        if (got < 0) return done > 0 ? static_cast<ssize_t>(done) : -1;
        done += static_cast<size_t>(got);
        if (static_cast<size_t>(got) < piece) break;
    } while (done < bytes);
    return static_cast<ssize_t>(done);
}

ssize_t read_pinned(int fd, std::span<const iovec> parts, off64_t offset, int flags) {
    std::array<ciuic_range, parts_max> ranges;
    size_t count = 0;
    for (const iovec& part : parts.first(std::min(parts.size(), parts_max)))
        if (part.iov_len > 0 && is_managed(part.iov_base))
            ranges[count++] = range_of(part.iov_base, part.iov_len);
    const std::span<const ciuic_range> all(ranges.data(), count);
    const Pins pins(all);
    if (const int error = count > 0 ? pins.error() : 0; error != 0) {
        errno = error;
        return -1;
    }
    return ::syscall(SYS_preadv2, fd, parts.data(), parts.size(), offset, offset >> 63, flags);
}

}  // namespace ciuic::interposer
