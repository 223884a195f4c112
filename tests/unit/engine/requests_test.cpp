// SPDX-License-Identifier: Apache-2.0
//
// Goal: each request ends once, with the right answer, and touches only its range.
// Method: scripts over the rig.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using RequestsTest = EngineRig;
using Completions = std::vector<std::pair<uint64_t, Errc>>;

TEST_F(RequestsTest, AcquireEndsWhenAllIsResident) {
    promise(0, 4);
    put(1, 5);
    evict_fully(1);
    completions.clear();
    for (uint32_t chunk = 0; chunk < 4; ++chunk) pins[chunk] = SharedWords::pin_one;
    request(RequestKind::acquire, 0, 4, 9);
    settle();
    EXPECT_EQ(completions, (Completions{{9, Errc::ok}}));
    for (uint32_t chunk = 0; chunk < 4; ++chunk) EXPECT_EQ(state(chunk), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(1, 5));
}

TEST_F(RequestsTest, RefusesWhatCannotBeDone) {
    promise(0, 16);
    const auto code = [&](RequestKind kind, uint32_t first, uint32_t count) {
        return engine.request(session, kind, {ChunkIndex{first}, count}, 1).error().code;
    };
    EXPECT_EQ(code(RequestKind::acquire, 0, 0), Errc::range);
    EXPECT_EQ(code(RequestKind::acquire, chunks, 1), Errc::range);
    EXPECT_EQ(code(RequestKind::acquire, 1, 0xffffffffu), Errc::range);
    EXPECT_EQ(code(RequestKind::acquire, 15, 2), Errc::invalid) << "half of it is vacant";
    EXPECT_EQ(code(RequestKind::acquire, 0, frames), Errc::no_memory) << "more than the device";
}

TEST_F(RequestsTest, BoundsTheNumberThatWaits) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < frames; ++chunk) {
        pins[chunk] = SharedWords::pin_one;
        put(chunk, 1);
    }
    for (uint32_t ticket = 0; ticket < limits::waiters_per_session_max; ++ticket)
        request(RequestKind::acquire, 20, 1, ticket);
    EXPECT_EQ(engine.request(session, RequestKind::acquire, {ChunkIndex{20}, 1}, 99).error().code,
              Errc::busy);
    clock.advance(limits::frame_deadline);
    settle();
    EXPECT_EQ(completions.size(), limits::waiters_per_session_max);
    for (const auto& [ticket, result] : completions) EXPECT_EQ(result, Errc::timed_out);
}

TEST_F(RequestsTest, ClearKeepsThePromiseAndForgetsTheBytes) {
    promise(0, 2);
    put(0, 5);
    put(1, 6);
    evict_fully(0);
    request(RequestKind::clear, 0, 2, 1);
    settle();
    EXPECT_EQ(state(0), ChunkState::empty);
    EXPECT_EQ(state(1), ChunkState::empty);
    EXPECT_EQ(engine.chunks_promised(), 2u);
    device.touch(0);
    settle();
    EXPECT_TRUE(all_bytes_are(0, 0));
}

TEST_F(RequestsTest, DiscardReturnsPromiseFrameAndPlace) {
    const uint32_t room = store.chunks_max();
    for (uint32_t round = 0; round < 3 * room / 4; ++round) {
        promise(0, 4);
        put(0, 1);
        evict_fully(0);
        put(1, 2);
        request(RequestKind::discard, 0, 4, 1);
        settle();
        ASSERT_EQ(engine.chunks_promised(), 0u);
        ASSERT_EQ(engine.frames_free(), frames);
    }
}

class RoomyRequestsTest : public EngineRig {
protected:
    RoomyRequestsTest() : EngineRig(true, 0, {.prefetch_chunks_max = 0}, 16) {}
};

// Punching a chunk of small pages takes half a millisecond, in which everyone waits.
TEST_F(RoomyRequestsTest, ATickGivesUpAFewFramesAndNoMore) {
    promise(0, 8);
    for (uint32_t chunk = 0; chunk < 6; ++chunk) put(chunk, 1);
    for (uint32_t chunk = 0; chunk < 6; ++chunk) request(RequestKind::discard, chunk, 1, chunk);
    static_assert(limits::closes_per_turn == 2, "six are three turns' worth");
    const auto closed = [&] {
        return std::count_if(device.calls.begin(), device.calls.end(), [](const std::string& call) {
            return call.compare(0, 5, "close") == 0;
        });
    };
    for (uint32_t turn = 1; turn <= 3; ++turn) {
        EXPECT_TRUE(engine.tick());
        EXPECT_EQ(closed(), turn * limits::closes_per_turn);
    }
    for (uint32_t chunk = 0; chunk < 6; ++chunk) EXPECT_EQ(state(chunk), ChunkState::vacant);
    device.calls.clear();
    for (uint32_t chunk = 6; chunk < 8; ++chunk) put(chunk, 1);
    promise(0, 4);
    for (uint32_t chunk = 0; chunk < 4; ++chunk) put(chunk, 1);
    engine.close_session(session);
    EXPECT_TRUE(engine.tick());
    EXPECT_EQ(closed(), limits::closes_per_turn);
    settle();
    EXPECT_EQ(closed(), 6);
    EXPECT_TRUE(is_closed);
}

TEST_F(RequestsTest, PromisesNoMoreThanTheStoreHolds) {
    SessionOptions options;
    std::vector<ChunkRecord> many(1000);
    std::vector<std::atomic<uint32_t>> other_states(1000);
    std::vector<std::atomic<uint32_t>> other_pins(1000);
    options.records = many;
    options.words = {other_states, other_pins};
    const SessionIndex other = *engine.open_session(options);
    const uint32_t room = store.chunks_max();
    promise(0, 4);
    EXPECT_EQ(engine.promise(other, {ChunkIndex{0}, room - 3}).error().code, Errc::no_memory);
    EXPECT_TRUE(engine.promise(other, {ChunkIndex{0}, room - 4}).has_value());
    EXPECT_EQ(engine.promise(session, {ChunkIndex{4}, 1}).error().code, Errc::no_memory);
    EXPECT_EQ(engine.promise(session, {ChunkIndex{3}, 1}).error().code, Errc::no_memory);
    engine.verify();
}

TEST_F(RequestsTest, AClosedSessionLeavesNothingBehind) {
    promise(0, 16);
    for (uint32_t chunk = 0; chunk < 16; ++chunk) put(chunk, 1);
    disk.faults[disk.requests.size()] = {IoFault::Kind::hold};
    const size_t held = disk.requests.size();
    evict(15);
    settle();
    ASSERT_EQ(state(15), ChunkState::evicting);
    engine.close_session(session);
    settle();
    EXPECT_FALSE(is_closed) << "its write still reads the frame";
    disk.release(disk.requests[held].token);
    settle();
    EXPECT_TRUE(is_closed);
    EXPECT_EQ(engine.frames_free(), frames);
    EXPECT_EQ(engine.chunks_promised(), 0u);
    EXPECT_EQ(device.calls.back(), "detach");
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{1015, Errc::disconnected}));
    EXPECT_GT(engine.total_stats().evictions, 0u);
}

}  // namespace
}  // namespace ciuic::test
