// SPDX-License-Identifier: Apache-2.0
//
// Remote: the engine in the daemon. The client's half of the handshake, and the watch over the
// daemon's life.
//
//   greet() --> the caller maps the space and registers it --> create()
//
// The client keeps its own copy of the userfaultfd for life: when the last copy closes, missing
// pages silently read as zeros. When the daemon goes, a thread of ours ends every wait for it
// loudly: what was not in this process's memory raises SIGBUS from then on.
//
// Not here: how memory is mapped, registered and given up (compose chooses the adapter).
// Threads: greet() and create() any. The watching thread takes no signals, no lock and no memory.
#pragma once

#include "base/mapping.hpp"
#include "base/service_thread.hpp"
#include "base/unique_fd.hpp"
#include "client/connection.hpp"
#include "client/inherited.hpp"
#include "protocol/socket.hpp"

#include <atomic>
#include <memory>

namespace ciuic {

// What the daemon has given, not yet mapped.
struct Greeting {
    UniqueFd socket;
    wire::Welcome welcome;
    ReceivedFds fds;

    int fd(wire::WelcomeFd which) const { return fds.fds[static_cast<size_t>(which)].get(); }
    UniqueFd take(wire::WelcomeFd which) { return std::move(fds.fds[static_cast<size_t>(which)]); }
    uint64_t space_bytes() const { return welcome.address_chunks * welcome.chunk_bytes; }
};

struct RemoteSpace {
    Mapping memory;
    uint64_t page_bytes = 0;  // what a page table maps at once
    UniqueFd uffd;
    // Ends every wait in the space for good, without a zero and without anybody's help. `states`
    // says which chunks were allocated.
    void (*lose)(const RemoteSpace& space, uint64_t chunk_bytes,
                 std::span<const std::atomic<uint32_t>> states) = nullptr;
    SpaceReading reading;  // how a forked child gets to read it
};

class Remote final : public Connection {
public:
    // `name`: cut at 31 bytes. `address_chunks`: wanted, 0 for the daemon's default.
    // Errors: version, disconnected, timed_out, invalid (what came makes no sense), those of the
    // daemon, io.
    static Result<Greeting> greet(UniqueFd socket, const char* name, uint32_t address_chunks);
    // Errors: likewise.
    static Result<std::unique_ptr<Connection>> create(Greeting greeting, RemoteSpace space);
    ~Remote() override;

    const Facts& facts() const override { return facts_; }
    EngineSegment& engine_segment() override { return engine_segment_; }
    ClientSegment& client_segment() override { return client_segment_; }
    bool is_alive() const override { return alive_.load(std::memory_order_acquire); }
    void leave_to_parent() override;

private:
    Remote(Greeting greeting, RemoteSpace space);
    Status start();
    static void* watch(void* remote);
    void on_daemon_gone();

    RemoteSpace space_;
    Facts facts_;
    UniqueFd socket_;
    UniqueFd doorbell_;
    UniqueFd stop_;  // eventfd: ends the watch
    // For forked children.
    UniqueFd memory_file_;
    UniqueFd userfaultfd_device_;
    EngineSegment engine_segment_;
    ClientSegment client_segment_;
    std::atomic<bool> alive_{true};
    ServiceThread watcher_;
};

}  // namespace ciuic
