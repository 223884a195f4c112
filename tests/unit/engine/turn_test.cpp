// SPDX-License-Identifier: Apache-2.0
//
// Goal: a turn is short, whatever clients ask for. Method: a device whose calls take what they take
// with 4 KiB pages, on a clock that nothing else moves; and requests for more chunks than a turn
// may look at.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

constexpr Nanos operator""_us(unsigned long long time) {
    return {static_cast<int64_t>(time) * 1000};
}

class TurnTest : public EngineRig {
protected:
    static constexpr uint32_t many_frames = 30;

    TurnTest() : EngineRig(true, 0, {.free_frames = 2}, many_frames) {}

    void take_time() {
        device.clock = &clock;
        device.open_takes = 1100_us;
        device.close_takes = 600_us;
        device.show_takes = 150_us;
    }
    // Ticks until nothing happens any more; the longest.
    Nanos longest_turn() {
        Nanos longest{};
        for (int turn = 0; turn < 1000; ++turn) {
            const Nanos start = clock.now();
            const bool more = engine.tick();
            longest = std::max(longest, clock.now() - start);
            if (!more) return longest;
        }
        ADD_FAILURE() << "never at rest";
        return longest;
    }
    // So many chunks are in frames, not shown yet.
    void make_ready(uint32_t count) {
        promise(0, chunks);
        for (uint32_t chunk = 0; chunk < count; ++chunk) put(chunk, 1);
        request(RequestKind::evict, 0, count, 1);
        settle();
        request(RequestKind::prefetch, 0, count, 2);
        settle();
        for (uint32_t chunk = 0; chunk < count; ++chunk)
            ASSERT_EQ(state(chunk), ChunkState::ready) << chunk;
    }
};

constexpr Nanos short_enough = 4000_us;

TEST_F(TurnTest, EvictionsThatClientsAskForAreRationed) {
    make_ready(20);
    take_time();
    request(RequestKind::evict, 0, 20, 3);
    EXPECT_LE(longest_turn(), short_enough);
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{3, Errc::ok}));
    for (uint32_t chunk = 0; chunk < 20; ++chunk) EXPECT_EQ(state(chunk), ChunkState::stored);
    engine.verify();
}

TEST_F(TurnTest, ShowingIsRationed) {
    make_ready(20);
    take_time();
    for (uint32_t chunk = 0; chunk < 20; ++chunk)
        request(RequestKind::acquire, chunk, 1, 10 + chunk);
    EXPECT_LE(longest_turn(), 2000_us) << "all at once are 3 ms";
    for (uint32_t chunk = 0; chunk < 20; ++chunk) EXPECT_EQ(state(chunk), ChunkState::resident);
    engine.verify();
}

TEST_F(TurnTest, AFloodOfEverythingTakesTurns) {
    make_ready(20);
    take_time();
    for (uint32_t chunk = 0; chunk < 20; ++chunk) {
        device.touch(chunk, chunk % 2 != 0);
        request(RequestKind::acquire, chunk, 1, 100 + chunk);
        if (chunk % 4 == 0) request(RequestKind::evict, 0, chunks, 200 + chunk);
        if (chunk % 5 == 0) request(RequestKind::clear, 0, 10, 300 + chunk);
    }
    request(RequestKind::discard, 10, 10, 400);
    EXPECT_LE(longest_turn(), short_enough);
    EXPECT_TRUE(engine.is_idle());
    engine.verify();
}

// Chunks of one page, and a great many of them.
class WideTurnTest : public testing::Test, protected Clients {
protected:
    static constexpr uint64_t chunk_bytes = 4 * KiB;
    static constexpr uint32_t chunks = 3 * limits::looks_per_turn;

    WideTurnTest() {
        SessionOptions options;
        options.records = records;
        options.words = {states, pins};
        session = *engine.open_session(options);
    }
    Status ask(RequestKind kind, uint32_t first, uint32_t count) {
        return engine.request(session, kind, {ChunkIndex{first}, count}, ++ticket);
    }
    // The turns until the last request has ended.
    uint32_t turns_to_the_end() {
        uint32_t turns = 0;
        while (ended != ticket && turns < 100'000) {
            engine.tick();
            ++turns;
        }
        return turns;
    }
    static StoreOptions store_options() {
        StoreOptions options;
        options.capacity_bytes = 2 * chunks * chunk_bytes;
        options.chunk_bytes = chunk_bytes;
        options.block_bytes = chunk_bytes;
        return options;
    }
    void completed(SessionIndex, uint64_t number, Errc code) override {
        ended = number;
        result = code;
    }
    void closed(SessionIndex) override { is_closed = true; }
    void unanswerable(SessionIndex) override {}

    ScriptedDevice device{8, chunk_bytes, chunk_bytes, true, 0, chunk_bytes, false};
    MemoryIo disk{2 * chunks * chunk_bytes, 16};
    ManualClock clock;
    SwapStore store{disk, clock, store_options()};
    HeldWorkers workers;
    Engine engine{{device, store, workers, clock, *this}, {}};
    std::vector<ChunkRecord> records = std::vector<ChunkRecord>(chunks);
    std::vector<std::atomic<uint32_t>> states = std::vector<std::atomic<uint32_t>>(chunks);
    std::vector<std::atomic<uint32_t>> pins = std::vector<std::atomic<uint32_t>>(chunks);
    SessionIndex session;
    uint64_t ticket = 0;
    uint64_t ended = 0;
    Errc result = Errc::ok;
    bool is_closed = false;
};

TEST_F(WideTurnTest, APromiseTakesTurns) {
    ASSERT_TRUE(ask(RequestKind::promise, 0, chunks));
    EXPECT_TRUE(engine.is_promising(session));
    EXPECT_EQ(engine.chunks_promised(), chunks) << "nobody else is given the room";
    EXPECT_EQ(engine.promise(session, {ChunkIndex{0}, 1}).error().code, Errc::busy);
    engine.verify();
    EXPECT_GE(turns_to_the_end(), 6u) << "each chunk is looked at, then promised";
    EXPECT_EQ(result, Errc::ok);
    EXPECT_FALSE(engine.is_promising(session));
    for (const auto& state : states) EXPECT_EQ(state & 0xff, uint32_t(ChunkState::empty));
    engine.verify();
}

TEST_F(WideTurnTest, APromiseOfAChunkThatHasOneChangesNothing) {
    ASSERT_TRUE(engine.promise(session, {ChunkIndex{chunks - 1}, 1}));
    ASSERT_TRUE(ask(RequestKind::promise, 0, chunks));
    turns_to_the_end();
    EXPECT_EQ(result, Errc::invalid);
    EXPECT_EQ(engine.chunks_promised(), 1u);
    EXPECT_EQ(states[0] & 0xff, uint32_t(ChunkState::vacant));
    engine.verify();
}

TEST_F(WideTurnTest, ASessionThatEndsInAPromiseLeavesNothing) {
    ASSERT_TRUE(ask(RequestKind::promise, 0, chunks));
    for (int turn = 0; turn < 5; ++turn) engine.tick();
    ASSERT_TRUE(engine.is_promising(session));
    engine.verify();
    engine.close_session(session);
    EXPECT_EQ(result, Errc::disconnected);
    for (uint32_t turn = 0; turn < 1000 && !is_closed; ++turn) engine.tick();
    EXPECT_TRUE(is_closed);
    EXPECT_EQ(engine.chunks_promised(), 0u);
}

TEST_F(WideTurnTest, WideRequestsTakeTurns) {
    ASSERT_TRUE(engine.promise(session, {ChunkIndex{0}, chunks - 1}));
    for (const RequestKind kind : {RequestKind::evict, RequestKind::discard}) {
        ASSERT_TRUE(ask(kind, 0, chunks));
        EXPECT_GE(turns_to_the_end(), 3u);
        EXPECT_EQ(result, Errc::invalid) << "the last chunk is vacant";
    }
    EXPECT_EQ(engine.chunks_promised(), chunks - 1) << "nothing was done";
    ASSERT_TRUE(ask(RequestKind::prefetch, 0, chunks - 1));
    EXPECT_GE(turns_to_the_end(), 3u);
    EXPECT_EQ(result, Errc::ok);
    ASSERT_TRUE(ask(RequestKind::discard, 0, chunks - 1));
    turns_to_the_end();
    EXPECT_EQ(result, Errc::ok);
    EXPECT_EQ(engine.chunks_promised(), 0u);
    engine.verify();
}

}  // namespace
}  // namespace ciuic::test
