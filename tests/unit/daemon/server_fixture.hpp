// SPDX-License-Identifier: Apache-2.0
//
// A server on stand-ins for everything outside it: no privilege, no disk, no faults, a clock that
// stands still until it is told to move.
#pragma once

#include "daemon/server.hpp"
#include "tests/support/formal_ports.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/served_client.hpp"

#include <gtest/gtest.h>

#include <sys/eventfd.h>

#include <array>
#include <vector>

namespace ciuic::testing_server {

// Accepts nothing: these tests never evict.
class NoIo final : public Io {
public:
    Status submit(const IoRequest&) override { return Error{Errc::busy, 0, "no disk"}; }
    void flush() override {}
    void cancel(uint64_t) override {}
    size_t drain(std::span<IoResult>) override { return 0; }
    int event_fd() const override { return -1; }
    uint32_t depth() const override { return 4; }
    const char* name() const override { return "none"; }
};

class NoWorkers final : public Workers {
public:
    void submit(const Job&) override { ADD_FAILURE() << "nothing to work on"; }
    size_t drain(std::span<uint64_t>) override { return 0; }
    int event_fd() const override { return -1; }
};

inline constexpr uint64_t chunk_bytes = 64 * KiB;
inline constexpr uint32_t frames = 16;
inline constexpr uint32_t address_chunks = 64;

using test::FormalDevice;
using test::FormalSpaces;
using Client = test::ServedClient;

class ServerTest : public testing::Test {
protected:
    void SetUp() override { start({}); }

    void start(ServerOptions options) {
        options.address_chunks = address_chunks;
        options.engine.sessions_max = 16;
        if (options.sessions_max == limits::sessions_max) options.sessions_max = 16;
        auto server = Server::create({.device = device_,
                                      .store = store_,
                                      .workers = workers_,
                                      .clock = clock_,
                                      .spaces = spaces_},
                                     options);
        ASSERT_TRUE(server);
        server_ = std::move(*server);
    }
    void turns(int count = 8) {
        for (int turn = 0; turn < count; ++turn) server_->turn(Nanos{0});
    }
    Client connect() {
        auto pair = socket_pair();
        EXPECT_TRUE(pair && server_->adopt(std::move((*pair)[0])));
        Client client;
        client.socket = std::move((*pair)[1]);
        return client;
    }
    // Through the whole handshake.
    Client running_client() {
        Client client = connect();
        client.say(wire::Hello{});
        turns();
        EXPECT_EQ(client.receive_welcome(), Errc::ok);
        client.map();
        const UniqueFd stand_in(::eventfd(0, EFD_CLOEXEC));
        const int fd = stand_in.get();
        client.say(wire::Ready{.base_address = 4 * chunk_bytes}, std::span(&fd, 1));
        turns();
        wire::Started started;
        ReceivedFds none;
        EXPECT_TRUE(receive_message(client.socket.get(), started, none, Nanos{0}));
        EXPECT_EQ(static_cast<Errc>(started.status), Errc::ok);
        return client;
    }
    bool is_gone(const Client& client) const { return is_hung_up(client.socket.get()); }

    test::ManualClock clock_;
    NoIo io_;
    SwapStore store_{io_,
                     clock_,
                     {.capacity_bytes = 32 * chunk_bytes,
                      .chunk_bytes = chunk_bytes,
                      .block_bytes = chunk_bytes}};
    NoWorkers workers_;
    FormalDevice device_{frames, chunk_bytes, chunk_bytes};
    FormalSpaces spaces_{chunk_bytes};
    std::unique_ptr<Server> server_;
};

}  // namespace ciuic::testing_server
