// SPDX-License-Identifier: Apache-2.0
//
// Embedded: the engine in the program's own process, on a thread of its own.
//
// The program's threads and the engine's talk as a client and the daemon do: through the two
// segments and a doorbell.
//
// Not here: which device and which I/O (compose).
// Threads: create() and the destructor any; the engine's runs in between. That thread serves faults
// of its own process: it takes no signals and no lock, and after create() it allocates nothing.
#pragma once

#include "base/clock.hpp"
#include "base/poll_window.hpp"
#include "base/service_thread.hpp"
#include "client/connection.hpp"
#include "engine/engine.hpp"
#include "engine/worker_pool.hpp"
#include "io/io.hpp"
#include "protocol/request_ring.hpp"
#include "staging/arena.hpp"
#include "store/swap_file.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace ciuic {

// What compose has chosen. Destroyed from the last to the first.
struct EmbeddedParts {
    Arena arena;    // frames, where the device has none of its own
    Mapping space;  // address space
    SwapFile file;
    std::unique_ptr<Device> device;  // of arena and space
    int device_event_fd = -1;
    std::vector<int> device_fds;  // that one too: what a forked child has no use for
    std::unique_ptr<Io> io;       // of file.io
    std::unique_ptr<Workers> workers;
    StoreOptions store;
    bool declares_uses = false;
};

class Embedded final : public Connection, private Clients {
public:
    // Errors: no_memory, io.
    static Result<std::unique_ptr<Connection>> create(EmbeddedParts parts);
    ~Embedded() override;

    const Facts& facts() const override { return facts_; }
    EngineSegment& engine_segment() override { return engine_segment_; }
    ClientSegment& client_segment() override { return client_segment_; }
    bool is_alive() const override { return true; }
    void leave_to_parent() override;

private:
    explicit Embedded(EmbeddedParts parts);
    Status prepare();
    Status open_session();
    Status watch(int fd, uint32_t events);

    // On the engine's thread.
    static void* run(void* embedded);
    bool take_requests();
    bool has_declared() const;
    void start(const wire::Request& request);
    void reply(uint64_t ticket, Errc result);
    void publish();
    bool poll();
    void sleep();
    void completed(SessionIndex session, uint64_t ticket, Errc result) override;
    void closed(SessionIndex session) override;
    void unanswerable(SessionIndex session) override;

    EmbeddedParts parts_;
    Facts facts_;
    MonotonicClock clock_;
    std::optional<SwapStore> store_;
    std::optional<Engine> engine_;
    Mapping records_;
    Mapping log_memory_;          // of the AccessLog, where the program declares its uses
    uint32_t declared_seen_ = 0;  // of its entries
    EngineSegment engine_segment_;
    ClientSegment client_segment_;
    std::optional<RequestReader> requests_;
    UniqueFd doorbell_;
    UniqueFd events_;  // epoll over everything that wakes the engine
    SessionIndex session_;
    PollWindow poll_{limits::poll_shortest, limits::poll_longest};
    std::atomic<bool> stopping_{false};
    bool closed_ = false;
    ServiceThread thread_;
};

}  // namespace ciuic
