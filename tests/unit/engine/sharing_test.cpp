// SPDX-License-Identifier: Apache-2.0
//
// Goal: sessions that want more than there is get the disk by their weights, one that wants little
// does not wait for the others, and nobody loses the frames it is guaranteed.
// Method: two sessions over a disk that is watched request by request.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

class SharingTest : public EngineRig {
protected:
    static constexpr uint32_t many_frames = 24;

    SharingTest()
        : EngineRig(true, 0, {.prefetch_chunks_max = 0, .contended_read_bytes = chunk_bytes},
                    many_frames) {}

    Result<SessionIndex> open_other(uint32_t weight, uint32_t guaranteed = 0) {
        SessionOptions options;
        options.records = other_records;
        options.words = {other_states, other_pins};
        options.weight = weight;
        options.frames_guaranteed = guaranteed;
        return engine.open_session(options);
    }
    void touch(SessionIndex whose, uint32_t chunk, bool is_write = false) {
        device.events.push_back(
            {DeviceEventKind::missing, is_write, {whose, ChunkIndex{chunk}}, 0});
    }
    // All chunks of the session are in the store, none on the device.
    void store_all(SessionIndex whose) {
        ASSERT_TRUE(engine.promise(whose, {ChunkIndex{0}, chunks}).has_value());
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
            touch(whose, chunk, true);
            settle();
        }
        ASSERT_TRUE(engine.request(whose, RequestKind::evict, {ChunkIndex{0}, chunks}, 1));
        settle();
        ASSERT_EQ(engine.stats(whose).frames, 0u);
    }
    // It reads alone for once: what was written for it is forgotten.
    void read_alone(SessionIndex whose) {
        let_time_pass();
        touch(whose, chunks - 1);
        settle();
        let_time_pass();
    }
    // Until nobody counts as having read lately.
    void let_time_pass() { clock.advance(limits::contention_memory); }
    // What can start has started; what is held back at the disk stays there.
    void take_turns() {
        for (int turn = 0; turn < 10; ++turn) engine.tick();
    }
    uint64_t fetches(SessionIndex whose) const { return engine.stats(whose).fetches; }

    std::vector<ChunkRecord> other_records = std::vector<ChunkRecord>(chunks);
    std::vector<std::atomic<uint32_t>> other_states = std::vector<std::atomic<uint32_t>>(chunks);
    std::vector<std::atomic<uint32_t>> other_pins = std::vector<std::atomic<uint32_t>>(chunks);
};

TEST_F(SharingTest, TheDiskIsSharedByWeight) {
    const SessionIndex other = *open_other(3 * limits::weight_default);
    store_all(session);
    store_all(other);
    read_alone(session);
    read_alone(other);
    for (uint32_t chunk = 0; chunk < chunks - 1; ++chunk) {
        touch(session, chunk);
        touch(other, chunk);
    }
    const uint64_t so_far = fetches(other);
    while (fetches(session) + fetches(other) < chunks + 2) {
        const uint64_t before = fetches(session) + fetches(other);
        engine.tick();
        ASSERT_LE(fetches(session) + fetches(other), before + 2) << "one read at a time";
    }
    EXPECT_NEAR(static_cast<double>(fetches(other) - so_far), chunks * 3 / 4.0, 1.0);
}

TEST_F(SharingTest, WritesCountToo) {
    const SessionIndex other = *open_other(limits::weight_default);
    store_all(session);
    store_all(other);
    read_alone(other);
    read_alone(session);
    // Eight chunks of one are written while both want the disk.
    for (uint32_t chunk = 0; chunk < 8; ++chunk) touch(other, chunk, true);
    touch(session, 0);
    settle();
    for (uint32_t chunk = 0; chunk < 8; ++chunk) {
        const uint32_t frame = engine.chunks(other)[ChunkIndex{chunk}].frame;
        std::memset(device.memory.data() + frame * chunk_bytes, 1, chunk_bytes);
    }
    ASSERT_TRUE(engine.request(other, RequestKind::evict, {ChunkIndex{0}, 8}, 1));
    settle();
    const uint64_t mine = fetches(session);
    const uint64_t others = fetches(other);
    for (uint32_t chunk = 8; chunk < 20; ++chunk) {
        touch(session, chunk);
        touch(other, chunk);
    }
    while (fetches(session) + fetches(other) < mine + others + 8) engine.tick();
    EXPECT_GE(fetches(session) - mine, 7u) << "nothing was written for it";
}

TEST_F(SharingTest, ASessionAloneIsNotHeldBack) {
    store_all(session);
    const size_t first = disk.requests.size();
    for (size_t request = first; request < first + 18; ++request)
        disk.faults[request] = {IoFault::Kind::hold};
    for (uint32_t chunk = 0; chunk < 6; ++chunk) touch(session, chunk);
    take_turns();
    EXPECT_EQ(fetches(session), 6u) << "all at once";
}

TEST_F(SharingTest, WhoWantsLittleDoesNotWaitForTheOthersReads) {
    const SessionIndex other = *open_other(limits::weight_default);
    store_all(other);
    store_all(session);
    read_alone(other);
    read_alone(session);
    const size_t first = disk.requests.size();
    const uint64_t mine = fetches(session);
    const uint64_t others = fetches(other);
    for (size_t request = first; request < first + 9; ++request)
        disk.faults[request] = {IoFault::Kind::hold};
    for (uint32_t chunk = 0; chunk < 6; ++chunk) touch(other, chunk);
    touch(session, 0);
    take_turns();
    ASSERT_EQ(fetches(other), others + 1) << "more is not read at once while two want the disk";
    EXPECT_EQ(fetches(session), mine + 1);
    touch(session, 1);
    take_turns();
    EXPECT_EQ(fetches(session), mine + 1) << "its second read takes its turn";
    disk.faults.clear();
    for (size_t request = first; request < disk.requests.size(); ++request)
        disk.release(disk.requests[request].token);
    settle();
    EXPECT_EQ(fetches(session), mine + 2);
    EXPECT_EQ(fetches(other), others + 6);
}

TEST_F(SharingTest, BesideOthersAChunkIsNotAtTheDiskAsAWhole) {
    const SessionIndex other = *open_other(limits::weight_default);
    store_all(other);
    store_all(session);
    touch(session, 3);
    settle();  // it has read lately: two want the disk
    const size_t first = disk.requests.size();
    for (size_t request = first; request < first + 9; ++request)
        disk.faults[request] = {IoFault::Kind::hold};
    touch(other, 5);
    take_turns();
    ASSERT_EQ(disk.requests.size(), first + limits::contended_parts);
    disk.faults.erase(first + limits::contended_parts);
    disk.release(disk.requests[first].token);
    take_turns();
    EXPECT_EQ(disk.requests.size(), first + limits::contended_parts + 2) << "one that came at once";
    disk.faults.clear();
    for (size_t request = first + 1; request < disk.requests.size(); ++request)
        if (request != first + limits::contended_parts) disk.release(disk.requests[request].token);
    settle();
    EXPECT_EQ(engine.chunks(other)[ChunkIndex{5}].state, ChunkState::resident);
}

// Making a chunk's pages takes as long as reading it: whoever only has that done was served before
// all others, always.
TEST_F(SharingTest, FillsCountToo) {
    const SessionIndex other = *open_other(limits::weight_default);
    store_all(session);
    read_alone(session);
    ASSERT_TRUE(engine.promise(other, {ChunkIndex{0}, chunks}).has_value());
    touch(session, 0);  // it has been read something, and is behind nobody
    settle();
    const uint64_t mine = fetches(session);
    for (uint32_t chunk = 0; chunk < 16; ++chunk) touch(other, chunk, true);
    for (uint32_t chunk = 1; chunk < 5; ++chunk) touch(session, chunk);
    while (fetches(session) < mine + 4) engine.tick();
    EXPECT_LE(engine.stats(other).fills, 6u) << "they take turns";
}

TEST_F(SharingTest, GuaranteedFramesOutliveTheOthersNeeds) {
    constexpr uint32_t guaranteed = 8;
    const SessionIndex other = *open_other(limits::weight_default, guaranteed);
    ASSERT_TRUE(engine.promise(other, {ChunkIndex{0}, chunks}).has_value());
    for (uint32_t chunk = 0; chunk < guaranteed; ++chunk) {
        touch(other, chunk, true);
        settle();
    }
    promise(0, chunks);
    for (uint32_t round = 0; round < 3; ++round)
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
            device.touch(chunk, true);
            settle();
        }
    EXPECT_GT(stats().evictions, 2 * chunks);
    EXPECT_EQ(engine.stats(other).frames, guaranteed);
    EXPECT_EQ(engine.stats(other).evictions, 0u);
    // What it has beyond that may go.
    for (uint32_t chunk = guaranteed; chunk < chunks; ++chunk) {
        touch(other, chunk, true);
        settle();
    }
    EXPECT_GT(engine.stats(other).evictions, 0u);
    EXPECT_GE(engine.stats(other).frames, guaranteed);
}

TEST_F(SharingTest, GuaranteesLeaveRoomForThoseWithoutOne) {
    const uint32_t most = many_frames - limits::frames_min;
    EXPECT_EQ(open_other(1, most + 1).error().code, Errc::no_memory);
    const auto other = open_other(1, most);
    ASSERT_TRUE(other);
    engine.close_session(*other);
    settle();
    EXPECT_TRUE(open_other(1, most)) << "a guarantee ends with its session";
}

TEST_F(SharingTest, AWeightIsWithinItsBounds) {
    EXPECT_EQ(open_other(0).error().code, Errc::invalid);
    EXPECT_EQ(open_other(limits::weight_max + 1).error().code, Errc::invalid);
    EXPECT_TRUE(open_other(limits::weight_max));
}

}  // namespace
}  // namespace ciuic::test
