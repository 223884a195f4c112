// SPDX-License-Identifier: Apache-2.0
//
// A connection whose engine is a thread of the test: it speaks the real protocol over the real
// segments, and moves chunks in and out as the test says. No device: the space is never touched.
#pragma once

#include "base/unique_fd.hpp"
#include "client/connection.hpp"
#include "client/futex.hpp"
#include "client/session.hpp"
#include "engine/ports.hpp"
#include "protocol/request_ring.hpp"
#include "residency/chunk_state.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace ciuic::test {

class FakeEngine final : public Connection {
public:
    // Answers a request; runs on the engine's thread.
    using Answer = std::function<Errc(const wire::Request& request)>;
    // One turn of the engine's own doing; true: call again at once.
    using Turn = std::function<bool()>;

    explicit FakeEngine(uint32_t chunks, uint32_t frames_max = 0)
        : engine_(*EngineSegment::create({chunks, chunk_bytes})),
          client_(*ClientSegment::create({chunks, chunk_bytes})), reader_(client_),
          doorbell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        // Addresses that are nobody's: what is in them is not looked at.
        facts_.space = {reinterpret_cast<std::byte*>(uintptr_t{1} << 46), chunks * chunk_bytes};
        facts_.chunk_bytes = chunk_bytes;
        facts_.chunks = chunks;
        facts_.frames_max = frames_max;
        facts_.doorbell = doorbell_.get();
    }
    ~FakeEngine() override { stop(); }

    void start(
        Answer answer, Turn turn = [] { return false; }) {
        answer_ = std::move(answer);
        turn_ = std::move(turn);
        thread_ = std::thread([this] { run(); });
    }
    void stop() {
        if (!thread_.joinable()) return;
        stopping_ = true;
        ring();
        thread_.join();
    }
    // From now on nothing is answered, and everyone may know.
    void die() { alive_ = false; }

    std::atomic<uint32_t>& state(uint32_t chunk) { return engine_.states()[chunk]; }
    uint32_t pins(uint32_t chunk) { return client_.pins()[chunk].load() & SharedWords::pin_mask; }
    void set_state(uint32_t chunk, ChunkState state_now) {
        state(chunk).store(static_cast<uint32_t>(state_now), std::memory_order_seq_cst);
    }

    const Facts& facts() const override { return facts_; }
    EngineSegment& engine_segment() override { return engine_; }
    ClientSegment& client_segment() override { return client_; }
    bool is_alive() const override { return alive_; }
    void leave_to_parent() override {}

    static constexpr uint64_t chunk_bytes = 2 * MiB;

private:
    void ring() {
        const uint64_t one = 1;
        EXPECT_EQ(::write(doorbell_.get(), &one, sizeof one), 8);
    }

    void run() {
        while (!stopping_) {
            std::array<wire::Request, 8> requests;
            const uint32_t taken = *reader_.pop(requests);
            for (uint32_t index = 0; index < taken; ++index) reply(requests[index]);
            const bool more = turn_();
            if (taken == 0 && !more) await_ring();
        }
    }
    void reply(const wire::Request& request) {
        const Errc result = answer_(request);
        if (!alive_) return;
        wire::ReplySlot& slot = engine_.page().replies[request.slot];
        slot.result.store(static_cast<uint32_t>(result), std::memory_order_relaxed);
        slot.sequence.store(request.sequence, std::memory_order_release);
        futex_wake_all(slot.sequence);
    }
    void await_ring() {
        engine_.page().sleeping.store(1, std::memory_order_seq_cst);
        if (reader_.is_empty() && !stopping_) {
            pollfd entry{doorbell_.get(), POLLIN, 0};
            ::poll(&entry, 1, -1);
            uint64_t rings = 0;
            EXPECT_EQ(::read(doorbell_.get(), &rings, sizeof rings), 8);
        }
        engine_.page().sleeping.store(0, std::memory_order_seq_cst);
    }

    EngineSegment engine_;
    ClientSegment client_;
    RequestReader reader_;
    UniqueFd doorbell_;
    Facts facts_;
    Answer answer_;
    Turn turn_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> alive_{true};
    std::thread thread_;
};

// A session on it.
struct FakeSession {
    explicit FakeSession(uint32_t chunks, uint32_t frames_max = 0) {
        auto owned = std::make_unique<FakeEngine>(chunks, frames_max);
        engine = owned.get();
        session = *ProgramSession::create(std::move(owned));
    }
    FakeEngine* engine = nullptr;
    std::unique_ptr<ProgramSession> session;
};

inline Errc agree(const wire::Request&) { return Errc::ok; }

}  // namespace ciuic::test
