// SPDX-License-Identifier: Apache-2.0
//
// The turn and what it is made of. Connections and events: server_events.cpp.
#include "daemon/server.hpp"

#include "daemon/log.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace ciuic {
namespace {

constexpr size_t past_max = 1024;               // summaries of sessions that are gone
constexpr uint64_t violations_logged_max = 16;  // a client must not fill the log
// Requests taken in one turn, of all clients together and of one.
constexpr size_t requests_per_turn = 256;
constexpr size_t requests_of_one = 16;
constexpr Nanos look_interval{200'000};  // at events, while there is work
constexpr Nanos statistics_interval{10'000'000};
// For the moves of dead clients, while stopping: each waits for one transfer at most.
constexpr Nanos closing_wait_max = limits::io_deadline + limits::io_deadline;

}  // namespace

Result<std::unique_ptr<Server>> Server::create(const ServerPorts& ports,
                                               const ServerOptions& options) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return os_refusal("epoll_create1", errno);
    std::unique_ptr<Server> server(new Server(ports, options, std::move(epoll)));
    for (const int fd : ports.engine_fds)
        if (fd >= 0) CIUIC_TRY_STATUS(server->watch(fd, EPOLLIN, Source::engine));
    if (ports.control_fd >= 0)
        CIUIC_TRY_STATUS(server->watch(ports.control_fd, EPOLLIN, Source::control));
    return Result<std::unique_ptr<Server>>(std::move(server));
}

Server::Server(const ServerPorts& ports, const ServerOptions& options, UniqueFd epoll)
    : ports_(ports), options_(options), epoll_(std::move(epoll)),
      engine_(EnginePorts{ports.device, ports.store, ports.workers, ports.clock, *this,
                          ports.bounce, ports.witness},
              options.engine),
      host_{.engine = engine_,
            .spaces = ports.spaces,
            .chunk_bytes = ports.device.traits().chunk_bytes,
            .address_chunks = options.address_chunks,
            .share = options.share,
            .shares = options.shares,
            .incarnation = options.incarnation,
            .userfaultfd = options.userfaultfd},
      slots_(options.sessions_max), readers_(options.readers_max),
      by_engine_index_(options.engine.sessions_max) {
    for (uint32_t slot = options.sessions_max; slot > 0; --slot) free_slots_.push_back(slot - 1);
    awake_.reserve(options.sessions_max);
    gone_.reserve(options.sessions_max);
    unanswerable_.reserve(options.sessions_max);
    tampered_.reserve(options.engine.sessions_max);
}

Server::~Server() = default;

bool Server::turn(Nanos wait_max) {
    bool more = drain_requests();
    remember_closing();
    more = engine_.tick() || more;
    statistics_stale_ = statistics_stale_ || more;
    end_unanswerable();
    end_breaches();
    reap();
    expire_handshakes();
    publish_statistics();
    if (is_finished()) return false;
    if (more) {
        // Signals, deaths and new clients are looked at now and then: by the time, since a turn
        // takes anything from a microsecond to what it costs to make several chunks' pages.
        if (ports_.clock.now() >= looked_at_ + look_interval) wait({0});
    } else if (fall_asleep()) {
        wait(wait_bound(wait_max));
    } else {
        wait({0});
    }
    return true;
}

bool Server::drain_requests() {
    bool more = false;
    const size_t each = requests_per_turn / std::max<size_t>(1, awake_.size());
    const auto requests_max = static_cast<uint32_t>(std::clamp<size_t>(each, 1, requests_of_one));
    // Sessions that end meanwhile leave the list in reap().
    for (const uint32_t slot : awake_) {
        ClientSession& session = *slots_[slot].session;
        if (session.state() != ClientSession::State::running) continue;
        const Result<bool> taken =
            session.take_requests(engine_, promise_room_of(session.uid()), requests_max);
        if (!taken)
            end_session(slot, &taken.error());
        else
            more = more || *taken;
    }
    return more;
}

// What a user's sessions may be promised besides what they have.
uint32_t Server::promise_room_of(uid_t uid) const {
    if (options_.user.max_promise_bytes == 0) return UINT32_MAX;
    uint64_t room = options_.user.max_promise_bytes / host_.chunk_bytes;
    for (const ClientSession* session : by_engine_index_)
        if (session && session->uid() == uid)
            room -= std::min<uint64_t>(room, engine_.stats(*session->index()).chunks_promised);
    return static_cast<uint32_t>(std::min<uint64_t>(room, UINT32_MAX));
}

// What clients did to their memory, as the device and the engine came upon it.
void Server::end_breaches() {
    while (const std::optional<SpaceBreach> breach = ports_.spaces.next_breach())
        end_violator(breach->session, breach->what);
    for (const SessionIndex session : tampered_)
        end_violator(session, "it took memory from under a transfer");
    tampered_.clear();
}

void Server::end_violator(SessionIndex index, const char* what) {
    const Error violation{Errc::invalid, 0, what};
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
        const ClientSession* session = slots_[slot].session.get();
        if (session && session->index() == index && !session->has_ended())
            end_session(slot, &violation);
    }
}

// From now on clients ring the doorbell (request_ring.hpp says why none is missed). False: one has
// added a request before it saw that.
bool Server::fall_asleep() {
    for (const uint32_t slot : awake_) slots_[slot].session->set_sleeping(true);
    const auto left = std::partition(awake_.begin(), awake_.end(), [this](uint32_t slot) {
        const ClientSession& session = *slots_[slot].session;
        return session.state() == ClientSession::State::running && session.has_requests();
    });
    for (auto slot = left; slot != awake_.end(); ++slot) slots_[*slot].awake = false;
    awake_.erase(left, awake_.end());
    for (const uint32_t slot : awake_) slots_[slot].session->set_sleeping(false);
    return awake_.empty();
}

Nanos Server::wait_bound(Nanos wait_max) const {
    Nanos bound = std::min(wait_max, engine_.wait_max());
    const Nanos now = ports_.clock.now();
    const auto until = [&](Nanos time) { bound = std::clamp(time - now, Nanos{0}, bound); };
    if (statistics_stale_) until(statistics_at_ + statistics_interval);
    if (accept_again_ > Nanos{0}) until(accept_again_);
    if (stopping_ && running_ == 0) until(closing_deadline_);
    if (handshakes_ == 0) return bound;
    for (const Slot& slot : slots_)
        if (slot.session && slot.session->in_handshake()) until(slot.session->handshake_deadline());
    return bound;
}

void Server::expire_handshakes() {
    if (handshakes_ == 0) return;
    const Nanos now = ports_.clock.now();
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
        const ClientSession* session = slots_[slot].session.get();
        if (!session || !session->in_handshake() || now < session->handshake_deadline()) continue;
        ++counts_.handshakes_timed_out;
        end_session(slot, nullptr);
    }
    reap();
}

void Server::publish_statistics() {
    if (!statistics_stale_) return;
    const Nanos now = ports_.clock.now();
    if (now < statistics_at_ + statistics_interval) return;
    statistics_at_ = now;
    statistics_stale_ = false;
    for (const Slot& slot : slots_)
        if (slot.session && slot.session->state() == ClientSession::State::running)
            slot.session->publish(engine_.stats(*slot.session->index()));
}

// The engine forgets a session's numbers in the tick that closes it.
void Server::remember_closing() {
    if (closing_ == 0) return;
    for (ClientSession* session : by_engine_index_)
        if (session && session->state() == ClientSession::State::closing)
            session->publish(engine_.stats(*session->index()));
}

void Server::end_session(uint32_t slot, const Error* violation) {
    ClientSession& session = *slots_[slot].session;
    const bool was_in_handshake = session.in_handshake();
    if (violation) {
        ++(was_in_handshake ? counts_.handshakes_refused : counts_.violations);
        if (counts_.handshakes_refused + counts_.violations <= violations_logged_max)
            log_line("client %d (%s) is disconnected: %s", static_cast<int>(session.pid()),
                     session.name().c_str(), violation->what);
    }
    --(was_in_handshake ? handshakes_ : running_);
    end_readers_of(slot);
    for (const int fd : {session.socket(), session.pidfd(), session.doorbell()}) unwatch(fd);
    session.end(engine_);
    if (stopping_) closing_deadline_ = ports_.clock.now() + closing_wait_max;
    if (session.state() == ClientSession::State::gone) {
        gone_.push_back(slot);
        return;
    }
    ++closing_;
    by_engine_index_[session.index()->value] = &session;
}

void Server::completed(SessionIndex session, uint64_t ticket, Errc result) {
    if (ClientSession* client = by_engine_index_[session.value]) client->reply(ticket, result);
}

void Server::tampered(SessionIndex session) {
    if (std::find(tampered_.begin(), tampered_.end(), session) == tampered_.end())
        tampered_.push_back(session);
}

void Server::closed(SessionIndex session) {
    ClientSession* client = by_engine_index_[session.value];
    by_engine_index_[session.value] = nullptr;
    client->closed();
    --closing_;
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [client](const Slot& entry) {
        return entry.session.get() == client;
    });
    gone_.push_back(static_cast<uint32_t>(slot - slots_.begin()));
}

// Of many touches one is enough.
void Server::unanswerable(SessionIndex session) {
    if (std::find(unanswerable_.begin(), unanswerable_.end(), session) == unanswerable_.end())
        unanswerable_.push_back(session);
}

// Its client sees the hang-up, and closes its addresses to whoever waits there.
void Server::end_unanswerable() {
    for (const SessionIndex index : unanswerable_) {
        for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
            const ClientSession* session = slots_[slot].session.get();
            if (!session || session->state() != ClientSession::State::running ||
                session->index() != index)
                continue;
            ++counts_.unanswerable;
            log_line("client %d (%s) is ended: it touched what is lost or was never promised, and "
                     "this kernel has no other way to say so (Linux 6.6 has)",
                     static_cast<int>(session->pid()), session->name().c_str());
            end_session(slot, nullptr);
        }
    }
    unanswerable_.clear();
}

void Server::reap() {
    for (const uint32_t slot : gone_) forget(slot);
    gone_.clear();
}

void Server::forget(uint32_t slot) {
    Slot& entry = slots_[slot];
    // Who never got a session is only counted.
    if (entry.session->index()) {
        SessionSummary summary = entry.session->summary();
        past_counts_.add(summary.counts);
        if (past_.size() < past_max)
            past_.push_back(std::move(summary));
        else
            ++counts_.summaries_dropped;
    }
    if (entry.awake) std::erase(awake_, slot);
    entry = {.session = nullptr, .life = entry.life + 1, .awake = false};
    free_slots_.push_back(slot);
    resume_accept();
}

void Server::stop() {
    stopping_ = true;
    if (listener_) unwatch(listener_.get());
    listener_.reset();
    accept_again_ = {};
    for (uint32_t slot = 0; slot < slots_.size(); ++slot)
        if (slots_[slot].session && slots_[slot].session->in_handshake())
            end_session(slot, nullptr);
    reap();
    closing_deadline_ = ports_.clock.now() + closing_wait_max;
}

bool Server::is_finished() const {
    if (!stopping_) return false;
    if (free_slots_.size() == slots_.size()) return true;
    return running_ == 0 && ports_.clock.now() >= closing_deadline_;
}

std::vector<const ClientSession*> Server::running() const {
    std::vector<const ClientSession*> sessions;
    for (const Slot& slot : slots_)
        if (slot.session && slot.session->state() == ClientSession::State::running)
            sessions.push_back(slot.session.get());
    return sessions;
}

std::vector<SessionSummary> Server::summaries() const {
    std::vector<SessionSummary> summaries = past_;
    for (const Slot& slot : slots_) {
        if (!slot.session || !slot.session->index()) continue;
        summaries.push_back(slot.session->summary());
        if (slot.session->state() == ClientSession::State::running)
            summaries.back().stats = engine_.stats(*slot.session->index());
    }
    return summaries;
}

ClientCounts Server::total_counts() const {
    ClientCounts total = past_counts_;
    for (const Slot& slot : slots_)
        if (slot.session && slot.session->index()) total.add(slot.session->summary().counts);
    return total;
}

}  // namespace ciuic
