// SPDX-License-Identifier: Apache-2.0
//
// What the server does about each event: connections, handshakes, doorbells, deaths.
#include "base/check.hpp"
#include "daemon/server.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace ciuic {
namespace {

constexpr int events_per_wait = 64;
constexpr int accepts_per_turn = 8;
constexpr Nanos accept_pause{100'000'000};  // when there are no descriptors left

// Silent clients must not shut others out: so many may be connecting at a time, of all users and
// of one.
constexpr uint32_t handshakes_max = 256;
constexpr uint32_t handshakes_per_uid_max = 64;
// Steps of handshakes between two turns: a Hello costs up to 2 ms of segments for 2^20 chunks.
constexpr uint32_t handshake_steps_per_wait = 4;

// source, life of the slot, slot: 8 + 24 + 32 bits.
constexpr uint32_t life_mask = 0xffffff;
constexpr uint64_t tag_of(uint8_t source, uint32_t life, uint32_t slot) {
    return uint64_t{source} << 56 | uint64_t{life & life_mask} << 32 | slot;
}

}  // namespace

Status Server::watch(int fd, uint32_t events, Source source, uint32_t slot, uint32_t life) {
    epoll_event interest{};
    interest.events = events;
    interest.data.u64 = tag_of(static_cast<uint8_t>(source), life, slot);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &interest) != 0)
        return os_refusal("epoll_ctl", errno);
    return {};
}

// Closing is not enough: clients hold copies of the same description.
void Server::unwatch(int fd) {
    if (fd >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Server::wait(Nanos wait_max) {
    std::array<epoll_event, events_per_wait> events;
    const timespec timeout{wait_max.value / 1'000'000'000, wait_max.value % 1'000'000'000};
    const int count =
        ::epoll_pwait2(epoll_.get(), events.data(), events_per_wait, &timeout, nullptr);
    CIUIC_CHECK(count >= 0 || errno == EINTR);
    handshake_steps_left_ = handshake_steps_per_wait;
    for (int index = 0; index < count; ++index) handle(events[static_cast<size_t>(index)].data.u64);
    if (count > 0) statistics_stale_ = true;
    reap();
    looked_at_ = ports_.clock.now();
    if (accept_again_ > Nanos{0} && looked_at_ >= accept_again_) resume_accept();
}

void Server::handle(uint64_t tag) {
    const auto source = static_cast<Source>(tag >> 56);
    const auto slot = static_cast<uint32_t>(tag);
    switch (source) {
    case Source::engine:
    case Source::control: return;
    case Source::listener: accept_some(); return;
    case Source::reader_socket:
    case Source::reader_pidfd:
        if (!readers_[slot].reader || (tag >> 32 & life_mask) != (readers_[slot].life & life_mask))
            return;
        return source == Source::reader_pidfd ? end_reader(slot) : on_reader(slot);
    case Source::socket:
    case Source::pidfd:
    case Source::doorbell: break;
    }
    // An earlier event of the same batch may have ended the session.
    Slot& entry = slots_[slot];
    if (!entry.session || (tag >> 32 & life_mask) != (entry.life & life_mask)) return;
    if (entry.session->has_ended()) return;
    if (source == Source::pidfd)
        end_session(slot, nullptr);
    else if (source == Source::socket)
        on_socket(slot);
    else
        on_doorbell(slot);
}

Status Server::listen(UniqueFd listener) {
    CIUIC_TRY_STATUS(watch(listener.get(), EPOLLIN, Source::listener));
    listener_ = std::move(listener);
    return {};
}

void Server::accept_some() {
    for (int count = 0; count < accepts_per_turn && listener_; ++count) {
        if (handshakes_ >= handshakes_max) return suspend_accept();
        Result<UniqueFd> socket = accept_socket(listener_.get());
        if (!socket) {
            if (socket.error().code == Errc::busy) return;
            if (socket.error().code == Errc::disconnected) continue;
            return suspend_accept();
        }
        (void)adopt(std::move(*socket));  // whoever was not taken in has been told
    }
}

void Server::suspend_accept() {
    if (accept_again_ > Nanos{0}) return;
    unwatch(listener_.get());
    accept_again_ = ports_.clock.now() + accept_pause;
}

void Server::resume_accept() {
    if (accept_again_ == Nanos{0} || !listener_) return;
    if (watch(listener_.get(), EPOLLIN, Source::listener)) accept_again_ = {};
}

bool Server::has_room_for(uid_t uid) const {
    uint32_t sessions = 0;
    uint32_t handshakes = 0;
    for (const Slot& slot : slots_) {
        if (!slot.session || slot.session->uid() != uid) continue;
        ++sessions;
        if (slot.session->in_handshake()) ++handshakes;
    }
    // One user cannot take the last eighth.
    size_t share = slots_.size() - slots_.size() / 8;
    if (options_.user.max_sessions > 0) share = std::min<size_t>(share, options_.user.max_sessions);
    return !free_slots_.empty() && sessions < share && handshakes < handshakes_per_uid_max;
}

Status Server::adopt(UniqueFd socket) {
    ++counts_.connections;
    CIUIC_TRY(Peer peer, peer_of(socket.get()));
    if (stopping_ || !has_room_for(peer.uid)) {
        ++counts_.handshakes_refused;
        ClientSession::refuse(socket.get(), Errc::busy);
        return Error{Errc::busy, 0, "there is no room for another client"};
    }
    CIUIC_TRY(Realm realm, realm_of(peer));
    const uint32_t slot = free_slots_.back();
    const uint32_t life = slots_[slot].life;
    auto session =
        std::make_unique<ClientSession>(std::move(socket), std::move(peer), std::move(realm),
                                        ports_.clock.now() + options_.handshake_deadline);
    CIUIC_TRY_STATUS(watch(session->socket(), EPOLLIN | EPOLLRDHUP, Source::socket, slot, life));
    if (const Status watched = watch(session->pidfd(), EPOLLIN, Source::pidfd, slot, life);
        !watched) {
        unwatch(session->socket());
        return watched;
    }
    free_slots_.pop_back();
    slots_[slot].session = std::move(session);
    ++handshakes_;
    return {};
}

void Server::on_socket(uint32_t slot) {
    ClientSession& session = *slots_[slot].session;
    if (!session.in_handshake()) return on_attach(slot);
    // The socket stays readable: it is this one's turn at one of the next waits.
    if (handshake_steps_left_ == 0) return;
    --handshake_steps_left_;
    const bool had_doorbell = session.doorbell() >= 0;
    Status status = session.advance_handshake(host_);
    if (session.index()) by_engine_index_[session.index()->value] = &session;
    // Edge-triggered and never read: the client shares the descriptor's flags, so that a read of
    // it could be made to wait for ever.
    if (status && !had_doorbell && session.doorbell() >= 0)
        status =
            watch(session.doorbell(), EPOLLIN | EPOLLET, Source::doorbell, slot, slots_[slot].life);
    if (!status) {
        const bool left = status.error().code == Errc::disconnected;
        return end_session(slot, left ? nullptr : &status.error());
    }
    if (!session.in_handshake()) {
        --handshakes_;
        ++running_;
        resume_accept();
    }
}

void Server::on_doorbell(uint32_t slot) {
    Slot& entry = slots_[slot];
    if (entry.session->state() != ClientSession::State::running || entry.awake) return;
    entry.awake = true;
    entry.session->set_sleeping(false);
    awake_.push_back(slot);
}

}  // namespace ciuic
