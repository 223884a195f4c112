// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets of whole messages.
#include "protocol/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5; older headers lack it
#endif

namespace ciuic {
namespace {

// Room for one descriptor more than any message has: a surplus one is seen, not cut off.
constexpr size_t control_bytes = CMSG_SPACE((wire::fds_per_message_max + 1) * sizeof(int));

Nanos now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

// timed_out after `end`; a socket that is hung up counts as ready, the next call will say so.
Status wait_for(int socket, short events, Nanos end) {
    for (;;) {
        const Nanos left = std::max(end - now(), Nanos{0});
        const timespec timeout{left.value / 1'000'000'000, left.value % 1'000'000'000};
        pollfd entry{socket, events, 0};
        const int ready = ::ppoll(&entry, 1, &timeout, nullptr);
        if (ready > 0) return {};
        if (ready == 0) return Error{Errc::timed_out, 0, "the other end did not answer in time"};
        if (errno != EINTR) return os_refusal("ppoll", errno);
    }
}

// Repeats `transfer`, which returns what sendmsg(2) or recvmsg(2) does, until it succeeds, fails
// for good, or the time is up.
template <typename Transfer>
Result<size_t> transfer_within(int socket, short events, Nanos wait_max, const char* what,
                               Transfer transfer) {
    const Nanos end = wait_max > Nanos{0} ? now() + wait_max : Nanos{0};
    for (;;) {
        const ssize_t count = transfer();
        if (count >= 0) return static_cast<size_t>(count);
        if (errno == EINTR) continue;
        if (errno == EPIPE || errno == ECONNRESET)
            return Error{Errc::disconnected, errno, "the other end has closed the connection"};
        if (errno != EAGAIN) return os_refusal(what, errno);
        if (wait_max <= Nanos{0}) return Error{Errc::busy, 0, "no message, or no room for one"};
        CIUIC_TRY_STATUS(wait_for(socket, events, end));
    }
}

// Takes every descriptor out of the control message, so that each is closed whatever comes next.
// False: there was something else, or too many descriptors.
bool take_fds(msghdr& header, ReceivedFds& fds) {
    bool good = (header.msg_flags & MSG_CTRUNC) == 0;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            good = false;
            continue;
        }
        const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; ++index) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + index * sizeof(int), sizeof fd);
            UniqueFd owned(fd);
            if (fds.count < fds.fds.size())
                fds.fds[fds.count++] = std::move(owned);
            else
                good = false;
        }
    }
    return good;
}

Result<sockaddr_un> address_of(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t length = std::strlen(path);
    if (length == 0 || length >= sizeof address.sun_path)
        return Error{Errc::invalid, 0, "the socket's path is empty or longer than 107 bytes"};
    std::memcpy(address.sun_path, path, length);
    return address;
}

Result<UniqueFd> new_socket() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return os_refusal("socket", errno);
    return socket;
}

// One daemon at a time looks at and replaces what lies in the directory. Held until it closes.
Result<UniqueFd> lock_directory_of(const sockaddr_un& address) {
    char directory[sizeof address.sun_path];
    std::memcpy(directory, address.sun_path, sizeof directory);
    char* slash = std::strrchr(directory, '/');
    if (!slash)
        std::memcpy(directory, ".", 2);
    else
        slash[slash == directory ? 1 : 0] = '\0';
    UniqueFd lock(::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock) {
        const Errc code = errno == EACCES ? Errc::permission : Errc::io;
        return Error{code, errno, "the socket's directory cannot be opened"};
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return Error{Errc::busy, errno, "another daemon is starting in the socket's directory"};
    return lock;
}

// Removes a socket file that nobody listens on.
Status clear_stale(const char* path) {
    struct stat status {};
    if (::lstat(path, &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode))
        return Error{Errc::invalid, 0, "the socket's path names something that is not a socket"};
    const auto socket = connect_socket(path, Nanos{0});
    if (socket || socket.error().code != Errc::disconnected)
        return Error{Errc::busy, 0, "another daemon listens on the socket"};
    if (::unlink(path) != 0) return os_refusal("unlink of an old socket", errno);
    return {};
}

}  // namespace

Result<UniqueFd> listen_socket(const char* path, mode_t mode) {
    CIUIC_TRY(const sockaddr_un address, address_of(path));
    CIUIC_TRY(const UniqueFd lock, lock_directory_of(address));
    CIUIC_TRY_STATUS(clear_stale(path));
    CIUIC_TRY(UniqueFd socket, new_socket());
    // The file is born with at most these permissions; chmod gives what the umask took.
    if (::fchmod(socket.get(), mode) != 0) return os_refusal("fchmod of the socket", errno);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const Errc code = errno == EACCES ? Errc::permission : Errc::io;
        return Error{code, errno, "bind of the socket"};
    }
    if (::chmod(path, mode) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        const int os_error = errno;
        ::unlink(path);
        return os_refusal("listen on the socket", os_error);
    }
    return socket;
}

Result<UniqueFd> accept_socket(int listener) {
    for (;;) {
        UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) return socket;
        switch (errno) {
        case EINTR: continue;
        case EAGAIN: return Error{Errc::busy, 0, "nobody waits to connect"};
        case ECONNABORTED: return Error{Errc::disconnected, errno, "accept"};
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: return Error{Errc::no_memory, errno, "accept"};
        default: return os_refusal("accept", errno);
        }
    }
}

Result<UniqueFd> connect_socket(const char* path, Nanos wait_max) {
    CIUIC_TRY(const sockaddr_un address, address_of(path));
    CIUIC_TRY(UniqueFd socket, new_socket());
    const Nanos end = now() + wait_max;
    // A Unix socket either connects at once or says EAGAIN: the listener's queue is full.
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
        switch (errno) {
        case EINTR: continue;
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED: return Error{Errc::disconnected, errno, "no daemon listens there"};
        case EACCES:
        case EPERM: return Error{Errc::permission, errno, "connect"};
        case EAGAIN: break;
        default: return os_refusal("connect", errno);
        }
        if (now() >= end) return Error{Errc::timed_out, 0, "the daemon does not accept"};
        const timespec pause{0, 1'000'000};  // nothing to poll for: the queue is not ours
        ::nanosleep(&pause, nullptr);
    }
    return socket;
}

Result<std::array<UniqueFd, 2>> socket_pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return os_refusal("socketpair", errno);
    return std::array{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<Peer> peer_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return os_refusal("getsockopt SO_PEERCRED", errno);
    Peer peer{credentials.pid, credentials.uid, credentials.gid, {}};
    int pidfd = -1;
    length = sizeof pidfd;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) {
        peer.pidfd = UniqueFd(pidfd);
        return peer;
    }
    if (errno != ENOPROTOOPT)
        return Error{Errc::disconnected, errno, "the client has ended while it connected"};
    // Before 6.5. The number is the client's own as long as it lives, and it waits for an answer.
    peer.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, credentials.pid, 0)));
    if (!peer.pidfd)
        return Error{Errc::disconnected, errno, "the client has ended while it connected"};
    if (is_hung_up(socket))
        return Error{Errc::disconnected, 0, "the client has ended while it connected"};
    return peer;
}

bool is_hung_up(int socket) {
    pollfd entry{socket, POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

namespace detail {

Status send_bytes(int socket, std::span<const std::byte> message, std::span<const int> fds,
                  Nanos wait_max) {
    if (fds.size() > wire::fds_per_message_max)
        return Error{Errc::invalid, 0, "too many descriptors for one message"};
    alignas(cmsghdr) std::array<std::byte, control_bytes> control{};
    iovec part{const_cast<std::byte*>(message.data()), message.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    CIUIC_TRY(const size_t sent, transfer_within(socket, POLLOUT, wait_max, "sendmsg", [&] {
                  return ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
              }));
    if (sent != message.size()) return Error{Errc::io, 0, "sendmsg took a part of a message"};
    return {};
}

Status receive_bytes(int socket, std::span<std::byte> message, const ExpectedMessage& expected,
                     ReceivedFds& fds, Nanos wait_max) {
    fds = {};
    alignas(cmsghdr) std::array<std::byte, control_bytes> control{};
    iovec part{message.data(), message.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    CIUIC_TRY(const size_t length, transfer_within(socket, POLLIN, wait_max, "recvmsg", [&] {
                  header.msg_control = control.data();
                  header.msg_controllen = control.size();
                  return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_TRUNC | MSG_DONTWAIT);
              }));
    const bool fds_are_good = take_fds(header, fds);
    Status status =
        length == 0
            ? Status(Error{Errc::disconnected, 0, "the other end has closed the connection"})
            : check_message(message, length, expected);
    if (status && !fds_are_good)
        status =
            Error{Errc::invalid, 0, "the message carries more than descriptors that belong to it"};
    if (!status) fds = {};
    return status;
}

}  // namespace detail
}  // namespace ciuic
