// SPDX-License-Identifier: Apache-2.0
//
// A whole daemon in one thread, without disk, privilege or page faults: the real server, sessions,
// rings, engine and store. One innocent client has data in it, beside which hostile ones come and
// go; what they may not do to it is checked here.
//
// Threads: one; a client's segment may be written by others.
#pragma once

#include "daemon/server.hpp"
#include "tests/support/formal_ports.hpp"
#include "tests/support/held_workers.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/served_client.hpp"

#include <cstring>
#include <deque>
#include <memory>
#include <vector>

namespace ciuic::fuzz {

// A disk that has always just finished.
class QuickIo final : public Io {
public:
    explicit QuickIo(uint64_t size_bytes) : bytes_(size_bytes) {}
    Status submit(const IoRequest& request) override;
    void flush() override {}
    void cancel(uint64_t) override {}
    size_t drain(std::span<IoResult> results) override;
    int event_fd() const override { return -1; }
    uint32_t depth() const override { return limits::io_depth_max; }
    const char* name() const override { return "quick"; }

private:
    std::vector<std::byte> bytes_;
    std::deque<IoResult> done_;
};

class HostileWorld {
public:
    static constexpr uint64_t chunk_bytes = 8 * KiB;
    static constexpr uint64_t block_bytes = 4 * KiB;
    static constexpr uint32_t frames = 32;
    static constexpr uint32_t frames_per_session = 12;
    static constexpr uint32_t address_chunks = 64;
    static constexpr uint32_t innocent_chunks = 4;

    HostileWorld();

    // Connected; nothing has been said.
    test::ServedClient connect();
    // Through the whole handshake.
    test::ServedClient running_client();
    bool is_gone(const test::ServedClient& client) const { return is_hung_up(client.socket.get()); }

    // However busy it is, the server looks at its sockets in it.
    void turn() {
        clock_.advance({1'000'000});
        server_->turn(Nanos{0});
    }
    // Turns until the server has nothing left to do at once.
    void settle();
    // The program of session `session` touches its memory.
    void touch(uint32_t session, uint32_t chunk, uint64_t offset_bytes, bool is_write);
    void pass_time(Nanos time) { clock_.advance(time); }

    // Nobody hostile is left: all they had has come back, and every table is sound.
    void check_that_all_came_back();
    // The innocent client gets at its bytes, and they are what it wrote.
    void check_innocent();

    const Server& server() const { return *server_; }

private:
    std::span<uint64_t> innocent_words(uint32_t chunk);
    void innocent_asks(wire::RequestKind kind, uint32_t first, uint32_t count);

    test::ManualClock clock_;
    QuickIo io_{2 * address_chunks * chunk_bytes};
    SwapStore store_{io_,
                     clock_,
                     {.capacity_bytes = 2 * address_chunks * chunk_bytes,
                      .chunk_bytes = chunk_bytes,
                      .block_bytes = block_bytes}};
    test::HeldWorkers workers_;
    test::FormalDevice device_{frames, chunk_bytes, block_bytes};
    test::FormalSpaces spaces_{chunk_bytes};
    std::unique_ptr<Server> server_;
    UniqueFd stand_in_;  // for a userfaultfd
    test::ServedClient innocent_;
    uint64_t look_ = 0;
};

}  // namespace ciuic::fuzz
