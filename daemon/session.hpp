// SPDX-License-Identifier: Apache-2.0
//
// One client's lifetime.
//
//   greeting --Hello--> preparing --Ready--> running --end()--> closing --closed()--> gone
//      '------------------ end() ----------------'                                     ^
//      '--------- end() before the engine knows the session --------------------------'
//
// greeting   connected, has said nothing
// preparing  has its descriptors; maps and registers them
// running    its requests and faults are served
// closing    given up; the engine still takes its chunks back
// gone       nothing of it is left but its summary
//
// A client says when it dies by its pidfd, and that it leaves by closing its socket; a forked child
// may hold the socket of a dead parent open.
//
// Not here: waiting for events, which session's turn it is (server).
// Threads: the server's.
#pragma once

#include "base/mapping.hpp"
#include "daemon/shares.hpp"
#include "daemon/spaces.hpp"
#include "engine/engine.hpp"
#include "protocol/request_ring.hpp"
#include "protocol/socket.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace ciuic {

// What every session needs of its surroundings.
struct SessionHost {
    Engine& engine;
    Spaces& spaces;
    uint64_t chunk_bytes = 0;
    uint32_t address_chunks = 0;  // of a session that asks for no less
    Share share{};                // of sessions that no rule fits
    std::vector<ShareRule> shares{};
    uint64_t incarnation = 0;
    int userfaultfd = -1;  // an open /dev/userfaultfd for clients, or -1
};

// The client's own numbers, in the order of wire::ClientCounters.
struct ClientCounts {
    uint64_t large_requests = 0;
    uint64_t large_served = 0;
    uint64_t large_fell_through = 0;
    uint64_t large_refused = 0;
    uint64_t large_freed = 0;
    uint64_t large_bytes = 0;
    uint64_t large_bytes_served = 0;
    uint64_t large_bytes_fell_through = 0;
    uint64_t large_bytes_refused = 0;

    void add(const ClientCounts& other);
};

// What is known of a session, and remembered when it is gone.
struct SessionSummary {
    pid_t pid = 0;
    Realm realm;
    std::string name;  // printable ASCII, whatever the client sent
    bool ended = false;
    Share share;
    SessionStats stats;
    ClientCounts counts;
};

class ClientSession {
public:
    enum class State : uint8_t { greeting, preparing, running, closing, gone };

    ClientSession(UniqueFd socket, Peer peer, Realm realm, Nanos handshake_deadline);

    State state() const { return state_; }
    bool has_ended() const { return state_ == State::closing || state_ == State::gone; }
    bool in_handshake() const { return state_ == State::greeting || state_ == State::preparing; }
    Nanos handshake_deadline() const { return handshake_deadline_; }
    uid_t uid() const { return realm_.uid; }
    pid_t pid() const { return pid_; }
    // Neither dead nor gone, says the kernel; events say so a moment later.
    bool is_client_there() const;
    const std::string& name() const { return name_; }
    int socket() const { return socket_.get(); }
    int pidfd() const { return pidfd_.get(); }
    int doorbell() const { return doorbell_.get(); }  // -1 while greeting
    std::optional<SessionIndex> index() const { return index_; }

    // The next step of the handshake, if its message is there. Error: the client is to be ended;
    // it has been told why where the protocol has an answer.
    Status advance_handshake(const SessionHost& host);

    // Takes a bounded number of requests and starts them; true: there may be more. Its user may
    // have `promise_room` chunks more. Error: the client breaks the protocol and is to be ended.
    Result<bool> take_requests(Engine& engine, uint32_t promise_room, uint32_t requests_max);
    void reply(uint64_t ticket, Errc result);

    // Whether the client must ring before the next request is looked at.
    void set_sleeping(bool sleeping);
    bool has_requests() const { return reader_ && !reader_->is_empty(); }

    void publish(const SessionStats& stats);
    // As last published or, before that, zeros.
    SessionSummary summary() const;

    // Lets go of the client: closing, or gone where the engine has nothing to give up.
    void end(Engine& engine);
    void closed();

    // Tells a client that there is no room for it.
    static void refuse(int socket, Errc why);

private:
    Status greet(const SessionHost& host);
    Status prepare(const SessionHost& host, uint32_t chunks);
    Status send_welcome(const SessionHost& host, int space_fd);
    Status start(const SessionHost& host);
    bool start_request(Engine& engine, const wire::Request& request, uint32_t& promise_room);
    ClientCounts counts() const;

    State state_ = State::greeting;
    Nanos handshake_deadline_;
    pid_t pid_;
    Realm realm_;
    Share share_;
    std::string name_;
    UniqueFd socket_;
    UniqueFd pidfd_;
    UniqueFd doorbell_;
    UniqueFd records_file_;
    Mapping records_;
    EngineSegment engine_segment_;
    ClientSegment client_segment_;
    std::optional<RequestReader> reader_;
    std::optional<SessionIndex> index_;
    uint32_t chunks_ = 0;
    SessionStats stats_;
    ClientCounts last_counts_;  // when the segment is gone
};

}  // namespace ciuic
