// SPDX-License-Identifier: Apache-2.0
//
// Unix sockets of whole messages: one struct, a few descriptors, a deadline.
//
// A message that is not exactly what was expected (size, kind, flags, number of descriptors) is
// refused, and every descriptor that came with it is closed.
//
// Not here: what is wrong with a message (handshake), who says what when (docs/protocol.md,
// daemon/, client/).
// Threads: any, one per socket. No heap: the client's half runs inside strangers' processes.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "protocol/handshake.hpp"
#include "protocol/wire.hpp"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>

namespace ciuic {

// A socket that clients can connect to; close-on-exec, non-blocking. A socket file that nobody
// listens on any more is replaced. Errors: invalid (the path is too long, or is not a socket), busy
// (a daemon listens there, or is starting), permission, io.
Result<UniqueFd> listen_socket(const char* path, mode_t mode);

// Errors: busy (nobody waits), disconnected (whoever waited is gone), no_memory (out of
// descriptors), io.
Result<UniqueFd> accept_socket(int listener);

// Errors: disconnected (nobody listens there), permission, invalid (the path is too long),
// timed_out, io.
Result<UniqueFd> connect_socket(const char* path, Nanos wait_max);

// A connected pair, for tests and for a daemon that starts its own client.
Result<std::array<UniqueFd, 2>> socket_pair();

// Who is at the other end: frozen when it connected.
struct Peer {
    pid_t pid = 0;  // for people; the process is pidfd
    uid_t uid = 0;
    gid_t gid = 0;
    UniqueFd pidfd;  // readable once the process has ended
};
// Errors: disconnected (the process has ended), io.
Result<Peer> peer_of(int socket);

// The other end has closed its socket or has ended. Never blocks.
bool is_hung_up(int socket);

// Descriptors that came with a message.
struct ReceivedFds {
    std::array<UniqueFd, wire::fds_per_message_max> fds;
    uint32_t count = 0;
};

namespace detail {
Status send_bytes(int socket, std::span<const std::byte> message, std::span<const int> fds,
                  Nanos wait_max);
Status receive_bytes(int socket, std::span<std::byte> message, const ExpectedMessage& expected,
                     ReceivedFds& fds, Nanos wait_max);
}  // namespace detail

// Waits at most `wait_max` for room; 0: does not wait.
// Errors: busy (no room), disconnected, timed_out, io.
template <typename T>
Status send_message(int socket, const T& message, std::span<const int> fds, Nanos wait_max) {
    return detail::send_bytes(socket, std::as_bytes(std::span(&message, 1)), fds, wait_max);
}

// Waits at most `wait_max` for the message; 0: does not wait. More than fds_per_message_max
// descriptors are refused here; how many a message needs is for the caller to check.
// Errors: busy (nothing there yet), disconnected, timed_out, version (the header is one of another
// version; nothing else of the message is known), invalid (it is not a T, or carries too much), io.
template <typename T>
Status receive_message(int socket, T& message, ReceivedFds& fds, Nanos wait_max) {
    return detail::receive_bytes(socket, std::as_writable_bytes(std::span(&message, 1)),
                                 {T::kind, T::flags_known}, fds, wait_max);
}

}  // namespace ciuic
