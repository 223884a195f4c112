// SPDX-License-Identifier: Apache-2.0
//
// One forked child that reads its parent's memory.
//
// It lives as long as its process, not as long as its connection: were a child that has closed all
// its descriptors let go of, nobody would answer its faults. Only where it has become another
// program it has nothing left to fault on. Its connection ends with the parent's session.
//
// Not here: how many there may be, events (server).
// Threads: the server's.
#pragma once

#include "daemon/spaces.hpp"
#include "protocol/socket.hpp"

#include <memory>

namespace ciuic {

class ForkReader {
public:
    // What came with an Attach to a session. Errors: invalid, disconnected, io, and those of
    // Spaces::add_reader().
    static Result<std::unique_ptr<ForkReader>> create(ReceivedFds& fds, uint64_t base_address,
                                                      Spaces& spaces, SessionIndex session);

    void answer(Errc status) const { answer(socket_.get(), status); }
    static void answer(int socket, Errc status);

    // Whether it still has its parent's memory, now that its connection is not what it was.
    bool still_reads(const Spaces& spaces) const;

    // The session goes on: the device forgets the reader.
    void leave(Spaces& spaces) const;

    int socket() const { return socket_.get(); }
    int pidfd() const { return peer_.pidfd.get(); }
    SessionIndex session() const { return session_; }

private:
    ForkReader(UniqueFd socket, Peer peer, SessionIndex session, uint32_t number);

    UniqueFd socket_;
    Peer peer_;
    SessionIndex session_;
    uint32_t number_;  // the device's
};

}  // namespace ciuic
