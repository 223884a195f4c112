// SPDX-License-Identifier: Apache-2.0
//
// A server on stand-ins for everything outside it: no privilege, no disk, no faults, a clock that
// stands still until it is told to move.
#pragma once

#include "daemon/server.hpp"

#include <gtest/gtest.h>

#include <sys/eventfd.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <vector>

namespace ciuic::testing_server {

class StillClock final : public Clock {
public:
    Nanos now() override { return now_; }
    void advance(Nanos time) { now_ = now_ + time; }

private:
    Nanos now_{1'000'000'000'000};
};

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

// Frames are memory; showing them is a matter of form.
class FormalDevice final : public Device {
public:
    FormalDevice() : memory_(frames * chunk_bytes) {
        traits_.name = "formal";
        traits_.frames = frames;
        traits_.chunk_bytes = chunk_bytes;
        traits_.reveal_bytes = chunk_bytes;
        traits_.sees_writes = true;
        traits_.opens_zeroed = true;
    }
    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef, FrameIndex frame) override {
        ++open_frames;
        return std::span(memory_).subspan(frame.value * chunk_bytes, chunk_bytes);
    }
    Status reveal(ChunkRef, FrameIndex, uint64_t, uint64_t, bool) override { return {}; }
    Status allow_write(ChunkRef, FrameIndex) override { return {}; }
    Result<std::span<std::byte>> conceal(ChunkRef, FrameIndex) override {
        return Error{Errc::busy, 0, "pinned"};
    }
    Status restore(ChunkRef, FrameIndex, bool) override { return {}; }
    void close(ChunkRef, FrameIndex) override { --open_frames; }
    Status poison(ChunkRef) override { return {}; }
    void unpoison(ChunkRef) override {}
    void detach(SessionIndex session) override { detached.push_back(session); }
    size_t drain(std::span<DeviceEvent>) override { return 0; }

    uint32_t open_frames = 0;
    std::vector<SessionIndex> detached;

private:
    DeviceTraits traits_;
    std::vector<std::byte> memory_;
};

// Memory files as they are; a userfaultfd is believed to be one.
class FormalSpaces final : public Spaces {
public:
    Result<int> make_space(SessionIndex, uint32_t chunks) override {
        if (refuse_space) return Error{Errc::no_memory, 0, "no space"};
        file_ = UniqueFd(::memfd_create("space", MFD_CLOEXEC));
        if (::ftruncate(file_.get(), static_cast<off_t>(chunks * chunk_bytes)) != 0)
            return os_refusal("ftruncate", errno);
        return file_.get();
    }
    Status attach(SessionIndex, UniqueFd, uint64_t client_base_address) override {
        if (client_base_address % chunk_bytes != 0) return Error{Errc::invalid, 0, "misaligned"};
        return {};
    }
    std::optional<SpaceBreach> next_breach() override {
        return std::exchange(breach, std::nullopt);
    }

    bool refuse_space = false;
    std::optional<SpaceBreach> breach;  // to be told

private:
    UniqueFd file_;
};

// The client's end of a connection.
struct Client {
    UniqueFd socket;
    wire::Welcome welcome;
    ReceivedFds fds;
    EngineSegment engine;
    ClientSegment segment;
    uint32_t pushed = 0;

    template <typename T> void say(const T& message, std::span<const int> with = {}) {
        ASSERT_TRUE(send_message(socket.get(), message, with, Nanos{0}));
    }
    int fd(wire::WelcomeFd which) const { return fds.fds[static_cast<size_t>(which)].get(); }
    Errc receive_welcome() {
        return receive_message(socket.get(), welcome, fds, Nanos{0}).error().code;
    }
    void map() {
        const SegmentShape shape{welcome.address_chunks, welcome.chunk_bytes};
        auto engine_mapped = EngineSegment::map(fd(wire::WelcomeFd::engine_segment), shape);
        auto client_mapped = ClientSegment::map(fd(wire::WelcomeFd::client_segment), shape);
        ASSERT_TRUE(engine_mapped && client_mapped);
        engine = std::move(*engine_mapped);
        segment = std::move(*client_mapped);
    }
    // The request's number, after which its slot and sequence are named.
    uint32_t ask(wire::RequestKind kind, uint32_t first, uint32_t count) {
        const wire::Request request{.kind = kind,
                                    .slot = pushed % wire::reply_slots,
                                    .sequence = pushed + 1,
                                    .first_chunk = first,
                                    .chunks = count};
        segment.ring()[pushed % limits::ring_entries].put(request);
        segment.request_tail().put(++pushed, std::memory_order_release);
        return pushed;
    }
    void ring() {
        const uint64_t one = 1;
        ASSERT_EQ(::write(fd(wire::WelcomeFd::doorbell), &one, sizeof one), 8);
    }
    bool is_answered(uint32_t number) const {
        return reply(number).sequence.load(std::memory_order_acquire) == number;
    }
    Errc answer(uint32_t number) const {
        return static_cast<Errc>(reply(number).result.load(std::memory_order_relaxed));
    }
    const wire::ReplySlot& reply(uint32_t number) const {
        return std::as_const(engine).page().replies[(number - 1) % wire::reply_slots];
    }
};

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

    StillClock clock_;
    NoIo io_;
    SwapStore store_{io_,
                     clock_,
                     {.capacity_bytes = 32 * chunk_bytes,
                      .chunk_bytes = chunk_bytes,
                      .block_bytes = chunk_bytes}};
    NoWorkers workers_;
    FormalDevice device_;
    FormalSpaces spaces_;
    std::unique_ptr<Server> server_;
};

}  // namespace ciuic::testing_server
