// SPDX-License-Identifier: Apache-2.0
#include "daemon/reader.hpp"

#include <sys/socket.h>

namespace ciuic {
namespace {

constexpr Nanos at_once{0};

UniqueFd& fd_of(ReceivedFds& fds, wire::AttachFd which) {
    return fds.fds[static_cast<size_t>(which)];
}

// Any other descriptor could be anything, a socket to somebody else included.
bool is_message_socket(int fd) {
    const auto option = [fd](int name) {
        int value = -1;
        socklen_t length = sizeof value;
        return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
    };
    return option(SO_DOMAIN) == AF_UNIX && option(SO_TYPE) == SOCK_SEQPACKET;
}

}  // namespace

Result<std::unique_ptr<ForkReader>> ForkReader::create(ReceivedFds& fds, uint64_t base_address,
                                                       Spaces& spaces, SessionIndex session) {
    if (fds.count != wire::attach_fds || !is_message_socket(fds.fds[0].get()))
        return Error{Errc::invalid, 0, "an Attach carries a socket for messages and another"};
    UniqueFd& socket = fd_of(fds, wire::AttachFd::connection);
    CIUIC_TRY(Peer peer, peer_of(socket.get()));
    CIUIC_TRY(const uint32_t number,
              spaces.add_reader(session, std::move(fd_of(fds, wire::AttachFd::userfaultfd)),
                                base_address));
    return std::unique_ptr<ForkReader>(
        new ForkReader(std::move(socket), std::move(peer), session, number));
}

ForkReader::ForkReader(UniqueFd socket, Peer peer, SessionIndex session, uint32_t number)
    : socket_(std::move(socket)), peer_(std::move(peer)), session_(session), number_(number) {}

void ForkReader::answer(int socket, Errc status) {
    const wire::Started started{.status = static_cast<uint32_t>(status)};
    (void)send_message(socket, started, {}, at_once);
}

bool ForkReader::still_reads(const Spaces& spaces) const {
    return spaces.is_reader_alive(session_, number_);
}

void ForkReader::leave(Spaces& spaces) const { spaces.remove_reader(session_, number_); }

}  // namespace ciuic
