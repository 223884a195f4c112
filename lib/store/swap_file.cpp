// SPDX-License-Identifier: Apache-2.0
#include "store/swap_file.hpp"

#include "limits.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

namespace ciuic {

namespace {

// How often a held lock is tried again. flock(2) has no deadline of its own; a thread that blocked
// in it could only be left behind. The wait happens at start-up alone.
constexpr timespec lock_poll_interval{0, 2'000'000};

Error refusal(const char* what, int os_error) {
    switch (os_error) {
    case EACCES:
    case EPERM:
    case EROFS: return {Errc::permission, os_error, what};
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return {Errc::no_memory, os_error, what};
    case ELOOP:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENXIO: return {Errc::invalid, os_error, what};
    case EOPNOTSUPP: return {Errc::unsupported, os_error, what};
    default: return {Errc::io, os_error, what};
    }
}

// O_EXCL: nobody can give the unnamed file a name.
Result<UniqueFd> open_unnamed(const char* directory) {
    UniqueFd fd(::open(directory, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    if (!fd && errno == EOPNOTSUPP)
        return refusal("swap: no unnamed files in this directory; name a file instead", errno);
    if (!fd) return refusal("swap: cannot create a file in the directory", errno);
    return Result<UniqueFd>(std::move(fd));
}

// O_NOFOLLOW and the owner check: a daemon with rights must not be led to fill another's file.
Result<UniqueFd> open_named(const char* path) {
    UniqueFd fd(::open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return refusal("swap: cannot open the file (symbolic links are not followed)", errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return refusal("swap: fstat", errno);
    if (!S_ISREG(status.st_mode))
        return Error{Errc::invalid, 0, "swap: neither a directory nor a regular file"};
    if (status.st_uid != ::geteuid())
        return Error{Errc::permission, 0, "swap: the file belongs to another user"};
    if (::fchmod(fd.get(), 0600) != 0) return refusal("swap: cannot set mode 0600", errno);
    return Result<UniqueFd>(std::move(fd));
}

Result<UniqueFd> open_anchor(const char* path) {
    struct stat status {};
    if (::stat(path, &status) == 0 && S_ISDIR(status.st_mode)) return open_unnamed(path);
    return open_named(path);
}

// Only under the lock: the file may be in use until then.
Status set_size(int fd, uint64_t size_bytes) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return refusal("swap: fstat", errno);
    const auto size = static_cast<off_t>(size_bytes);
    if (status.st_size > size && ::ftruncate(fd, size) != 0)
        return refusal("swap: cannot shorten the file", errno);
    int refused = 0;
    do {
        refused = ::fallocate(fd, 0, 0, size) == 0 ? 0 : errno;
    } while (refused == EINTR);
    if (refused == EOPNOTSUPP)
        return refusal("swap: this file system cannot reserve room; choose another", refused);
    if (refused != 0) return refusal("swap: cannot reserve room for the file", refused);
    return {};
}

Status lock_exclusively(int fd, Nanos deadline, Clock& clock) {
    const Nanos give_up = clock.now() + deadline;
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return refusal("swap: flock", errno);
        if (clock.now() >= give_up)
            return Error{Errc::timed_out, 0,
                         "swap: the I/O of a daemon that is dead has not ended; choose another "
                         "file"};
        ::nanosleep(&lock_poll_interval, nullptr);
    }
    return {};
}

// A new description of the anchor's inode.
Result<UniqueFd> open_anew(int anchor_fd, int flags) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", anchor_fd);
    UniqueFd fd(::open(path, O_RDWR | O_CLOEXEC | flags));
    if (!fd && errno == ENOENT)
        return Error{Errc::unsupported, ENOENT, "swap: /proc is not mounted"};
    if (!fd) return refusal("swap: cannot open the file anew", errno);
    return Result<UniqueFd>(std::move(fd));
}

// A lock of another kind than the fence's: the two do not see each other.
Result<UniqueFd> claim_file(int anchor_fd) {
    CIUIC_TRY(UniqueFd claim, open_anew(anchor_fd, 0));
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(claim.get(), F_OFD_SETLK, &lock) == 0) return Result<UniqueFd>(std::move(claim));
    if (errno == EAGAIN || errno == EACCES)
        return Error{Errc::busy, 0,
                     "swap: another process uses the file; stop it or choose another file"};
    return refusal("swap: fcntl(F_OFD_SETLK)", errno);
}

}  // namespace

Result<SwapFile> open_swap_file(const SwapFileOptions& options, Clock& clock) {
    if (options.size_bytes == 0 || options.size_bytes % limits::granule_bytes != 0 ||
        options.size_bytes > limits::store_bytes_max)
        return Error{Errc::invalid, 0, "swap: size must be a multiple of 4 KiB, at most 16 TiB"};
    SwapFile file;
    CIUIC_TRY(file.anchor, open_anchor(options.path.c_str()));
    CIUIC_TRY(file.claim, claim_file(file.anchor.get()));
    CIUIC_TRY(file.io, open_fenced(file.anchor.get(), options.fence_deadline, clock, file.direct));
    CIUIC_TRY_STATUS(set_size(file.io.get(), options.size_bytes));
    return Result<SwapFile>(std::move(file));
}

Result<UniqueFd> open_fenced(int anchor_fd, Nanos deadline, Clock& clock, bool& direct) {
    direct = true;
    Result<UniqueFd> fd = open_anew(anchor_fd, O_DIRECT);
    if (!fd && fd.error().os_error == EINVAL) {
        direct = false;
        fd = open_anew(anchor_fd, 0);
    }
    if (!fd) return fd;
    CIUIC_TRY_STATUS(lock_exclusively(fd->get(), deadline, clock));
    return Result<UniqueFd>(std::move(fd));
}

}  // namespace ciuic
