// SPDX-License-Identifier: Apache-2.0
//
// The daemon's one thread: waits for clients, faults, transfers and workers, and lets the engine
// do its turns in between.
//
// A turn is bounded: a few connections, a few requests of every client that has some, one tick of
// the engine. Only then, if nothing is left to do, it waits.
//
// Not here: one client's steps (session), what a tick does (engine), adapters (compose), signals
// (main).
// Threads: one, the caller's of turn().
#pragma once

#include "daemon/reader.hpp"
#include "daemon/session.hpp"
#include "daemon/spaces.hpp"
#include "engine/engine.hpp"

#include <array>
#include <memory>
#include <span>
#include <vector>

namespace ciuic {

struct ServerPorts {
    Device& device;
    SwapStore& store;
    Workers& workers;
    Clock& clock;
    Spaces& spaces;
    std::span<std::byte> bounce{};  // EnginePorts says what for
    UseWitness* witness = nullptr;  // likewise
    // Readable when the engine has something to drain. Level-triggered.
    std::array<int, 3> engine_fds{-1, -1, -1};
    // Readable when the owner wants turn() to return; -1: never.
    int control_fd = -1;
};

struct ServerOptions {
    uint32_t sessions_max = limits::sessions_max;  // clients that connect included
    uint32_t readers_max = limits::readers_max;    // forked children of clients
    uint32_t address_chunks = 0;                   // of a session's address space, at most
    Share share{};                                 // of sessions that no rule fits
    std::vector<ShareRule> shares{};
    UserLimits user{};
    uint64_t incarnation = 0;
    int userfaultfd = -1;  // for clients; stays the caller's
    Nanos handshake_deadline = limits::handshake_deadline;
    EngineOptions engine{};
};

// What happened to clients that never got a session, and to those that misbehaved.
struct ServerCounts {
    uint64_t connections = 0;
    uint64_t handshakes_refused = 0;  // no room, or a message that was not the expected one
    uint64_t handshakes_timed_out = 0;
    uint64_t violations = 0;    // sessions ended because the client broke the protocol
    uint64_t unanswerable = 0;  // sessions ended because a touch could not be made to fail
    uint64_t readers = 0;       // forked children that got to read their parent's memory
    uint64_t readers_refused = 0;
    uint64_t summaries_dropped = 0;  // past sessions that only the totals remember
};

class Server final : public Clients {
public:
    // Error: io.
    static Result<std::unique_ptr<Server>> create(const ServerPorts& ports,
                                                  const ServerOptions& options);
    ~Server() override;

    // Accepts clients from a listening socket.
    Status listen(UniqueFd listener);
    // Takes a connected client in. Errors: busy (no room; it has been told so), disconnected, io.
    Status adopt(UniqueFd socket);

    // One turn; waits at most `wait_max` where there is nothing to do. False: all is done that
    // stop() asked for.
    bool turn(Nanos wait_max);

    // No more clients; turn() says false once those that are left have ended.
    void stop();
    bool is_stopping() const { return stopping_; }

    std::vector<const ClientSession*> running() const;
    std::vector<SessionSummary> summaries() const;  // those there are, after those there were
    ClientCounts total_counts() const;
    const ServerCounts& counts() const { return counts_; }
    const Engine& engine() const { return engine_; }

private:
    enum class Source : uint8_t {
        engine,
        control,
        listener,
        socket,
        pidfd,
        doorbell,
        reader_socket,
        reader_pidfd,
    };
    struct Slot {
        std::unique_ptr<ClientSession> session;
        uint32_t life = 0;  // tells an event of the slot's last session from one of this
        bool awake = false;
    };
    struct ReaderSlot {
        std::unique_ptr<ForkReader> reader;
        uint32_t session_slot = 0;
        uint32_t life = 0;
    };

    Server(const ServerPorts& ports, const ServerOptions& options, UniqueFd epoll);
    Status watch(int fd, uint32_t events, Source source, uint32_t slot = 0, uint32_t life = 0);
    void unwatch(int fd);

    // events
    void wait(Nanos wait_max);
    void handle(uint64_t tag);
    void accept_some();
    void suspend_accept();
    void resume_accept();
    void on_socket(uint32_t slot);
    void on_doorbell(uint32_t slot);
    bool has_room_for(uid_t uid) const;
    uint32_t promise_room_of(uid_t uid) const;

    // server_readers.cpp
    void on_attach(uint32_t slot);
    Status take_attach(int socket, uint32_t session_slot);
    Status adopt_reader(uint32_t session_slot, ReceivedFds& fds, uint64_t base_address);
    void on_reader(uint32_t index);
    void end_reader(uint32_t index);
    void end_readers_of(uint32_t session_slot);

    // the rest of a turn
    bool drain_requests();
    void end_breaches();
    void end_violator(SessionIndex session, const char* what);
    void expire_handshakes();
    void publish_statistics();
    void remember_closing();
    void reap();
    bool fall_asleep();
    Nanos wait_bound(Nanos wait_max) const;
    bool is_finished() const;

    void end_session(uint32_t slot, const Error* violation);
    void forget(uint32_t slot);
    void completed(SessionIndex session, uint64_t ticket, Errc result) override;
    void closed(SessionIndex session) override;
    void unanswerable(SessionIndex session) override;
    void end_unanswerable();
    void tampered(SessionIndex session) override;

    ServerPorts ports_;
    ServerOptions options_;
    UniqueFd epoll_;
    UniqueFd listener_;
    Engine engine_;
    SessionHost host_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> free_slots_;
    std::vector<ReaderSlot> readers_;         // as many as there may be
    std::vector<uint32_t> awake_;             // whose rings are looked at in every turn
    std::vector<SessionIndex> unanswerable_;  // to be ended after the engine's tick
    std::vector<SessionIndex> tampered_;      // likewise
    std::vector<uint32_t> gone_;              // to be forgotten after the engine's tick
    std::vector<ClientSession*> by_engine_index_;
    std::vector<SessionSummary> past_;
    ClientCounts past_counts_;
    ServerCounts counts_;
    Nanos accept_again_{};      // 0: accepting
    Nanos statistics_at_{};     // last published
    Nanos looked_at_{};         // when events were waited for last
    Nanos closing_deadline_{};  // while stopping: for sessions that only the engine still knows
    uint32_t handshakes_ = 0;   // sessions in these states
    uint32_t running_ = 0;
    uint32_t closing_ = 0;
    uint32_t handshake_steps_left_ = 0;  // until the next wait
    bool statistics_stale_ = false;
    bool stopping_ = false;
};

}  // namespace ciuic
