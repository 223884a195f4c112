// SPDX-License-Identifier: Apache-2.0
//
// Forked children that read their parent's memory: they come by their parent's connection, or by
// that of another reader.
#include "daemon/server.hpp"

#include <sys/epoll.h>

#include <algorithm>

namespace ciuic {

// The next message on a connection after its handshake. Only a forked child has anything to say
// there. Error: disconnected, or the connection's owner breaks the protocol.
Status Server::take_attach(int socket, uint32_t session_slot) {
    wire::Attach attach;
    ReceivedFds fds;
    const Status received = receive_message(socket, attach, fds, Nanos{0});
    if (received) {
        const Status adopted = adopt_reader(session_slot, fds, attach.base_address);
        ++(adopted ? counts_.readers : counts_.readers_refused);
        // The child waits for an answer; one that is no reader takes its silence for one.
        if (!adopted && fds.count > 0) ForkReader::answer(fds.fds[0].get(), adopted.error().code);
        return {};
    }
    if (is_hung_up(socket)) return Error{Errc::disconnected, 0, "the other end has left"};
    return received.error().code == Errc::busy ? Status{} : received;
}

void Server::on_attach(uint32_t slot) {
    const Status taken = take_attach(slots_[slot].session->socket(), slot);
    if (taken) return;
    end_session(slot, taken.error().code == Errc::disconnected ? nullptr : &taken.error());
}

Status Server::adopt_reader(uint32_t session_slot, ReceivedFds& fds, uint64_t base_address) {
    const SessionIndex session = *slots_[session_slot].session->index();
    const auto free = std::find_if(readers_.begin(), readers_.end(),
                                   [](const ReaderSlot& slot) { return !slot.reader; });
    if (free == readers_.end()) return Error{Errc::busy, 0, "there is no room for a reader"};
    CIUIC_TRY(auto reader, ForkReader::create(fds, base_address, ports_.spaces, session));
    const auto index = static_cast<uint32_t>(free - readers_.begin());
    free->session_slot = session_slot;
    free->reader = std::move(reader);
    Status watched = watch(free->reader->socket(), EPOLLIN | EPOLLRDHUP, Source::reader_socket,
                           index, free->life);
    if (watched)
        watched = watch(free->reader->pidfd(), EPOLLIN, Source::reader_pidfd, index, free->life);
    free->reader->answer(watched.error().code);
    if (!watched) end_reader(index);
    return watched;
}

void Server::on_reader(uint32_t index) {
    const ReaderSlot& slot = readers_[index];
    if (take_attach(slot.reader->socket(), slot.session_slot)) return;
    // Its memory may still be there; of its process's end the pidfd tells.
    unwatch(slot.reader->socket());
    if (!slot.reader->still_reads(ports_.spaces)) end_reader(index);
}

void Server::end_reader(uint32_t index) {
    ReaderSlot& slot = readers_[index];
    for (const int fd : {slot.reader->socket(), slot.reader->pidfd()}) unwatch(fd);
    slot.reader->leave(ports_.spaces);
    slot = {.reader = nullptr, .session_slot = 0, .life = slot.life + 1};
}

// The device forgets them with the session; until then their faults wait, and each is told by its
// connection that there will be no answer.
void Server::end_readers_of(uint32_t session_slot) {
    for (ReaderSlot& slot : readers_) {
        if (!slot.reader || slot.session_slot != session_slot) continue;
        for (const int fd : {slot.reader->socket(), slot.reader->pidfd()}) unwatch(fd);
        slot = {.reader = nullptr, .session_slot = 0, .life = slot.life + 1};
    }
}

}  // namespace ciuic
