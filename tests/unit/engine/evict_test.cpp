// SPDX-License-Identifier: Apache-2.0
//
// Goal: the order of an eviction: freeze, hash, write, look whether anybody came back, give up.
// Method: scripts that stop the move between two of these and let something happen.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using EvictTest = EngineRig;
using BlindEvictTest = BlindEngineRig;

size_t position(const std::vector<std::string>& calls, const std::string& call) {
    return static_cast<size_t>(std::find(calls.begin(), calls.end(), call) - calls.begin());
}

TEST_F(EvictTest, FreezesBeforeItWritesAndGivesUpAfter) {
    promise(0, 1);
    put(0, 1);
    disk.faults[0] = {IoFault::Kind::hold};
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::evicting);
    EXPECT_TRUE(device.called("conceal 0"));
    EXPECT_FALSE(device.called("close 0")) << "given up before the write ended";
    EXPECT_EQ(record(0).copies, Copies::device);
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_LT(position(device.calls, "conceal 0"), position(device.calls, "close 0"));
    EXPECT_EQ(engine.frames_free(), frames);
    EXPECT_EQ(stats().store_bytes_written, chunk_bytes);
}

TEST_F(EvictTest, APinnedChunkStays) {
    promise(0, 1);
    put(0, 1);
    pins[0] = SharedWords::pin_one;
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(states[0].load(), static_cast<uint32_t>(ChunkState::resident));
    EXPECT_FALSE(device.called("conceal 0"));
}

TEST_F(EvictTest, AChunkThatTheKernelPinsStays) {
    promise(0, 1);
    put(0, 1);
    device.pinned = true;
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(disk.requests.empty());
}

TEST_F(EvictTest, AWriteDuringTheWriteBackBringsTheChunkBack) {
    promise(0, 1);
    put(0, 1);
    disk.faults[0] = {IoFault::Kind::hold};
    evict(0);
    settle();
    device.touch_protected(0);
    settle();
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(device.called("restore 0"));
    EXPECT_FALSE(device.called("close 0"));
    EXPECT_EQ(record(0).copies, Copies::device) << "the program writes from now on";
    EXPECT_EQ(stats().recalls, 1u);
    // What it writes next must not be mistaken for what was written back.
    std::memset(bytes(0), 2, chunk_bytes);
    evict_fully(0);
    device.touch(0);
    settle();
    EXPECT_TRUE(all_bytes_are(0, 2));
}

TEST_F(EvictTest, AnUnwrittenChunkLeavesWithoutAWrite) {
    promise(0, 1);
    put(0, 1);
    evict_fully(0);
    device.touch(0);
    settle();
    EXPECT_EQ(record(0).copies, Copies::both);
    const size_t requests = disk.requests.size();
    evict_fully(0);
    EXPECT_EQ(disk.requests.size(), requests);
    EXPECT_EQ(stats().evictions_clean, 1u);
}

TEST_F(EvictTest, AFirstWriteMakesTheStoreCopyInvalid) {
    promise(0, 1);
    put(0, 1);
    evict_fully(0);
    device.touch(0);
    settle();
    device.touch_protected(0);
    settle();
    EXPECT_TRUE(device.called("allow_write 0"));
    EXPECT_EQ(record(0).copies, Copies::device);
    std::memset(bytes(0), 9, chunk_bytes);
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 0u);
    device.touch(0);
    settle();
    EXPECT_TRUE(all_bytes_are(0, 9));
}

TEST_F(EvictTest, AWriteOfTheSameBytesCostsNoWriteToTheDisk) {
    promise(0, 1);
    put(0, 1);
    evict_fully(0);
    device.touch(0, true);
    settle();
    ASSERT_EQ(record(0).copies, Copies::device);
    std::memset(bytes(0), 1, chunk_bytes);
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 1u);
    EXPECT_EQ(stats().store_bytes_written, chunk_bytes);
}

TEST_F(BlindEvictTest, ComparesWithWhatThePlaceHolds) {
    promise(0, 1);
    put(0, 1);
    evict_fully(0);
    device.touch(0);
    settle();
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 1u);
    device.touch(0);
    settle();
    bytes(0)[chunk_bytes - 1] = std::byte{2};  // one byte, unseen by the device
    evict_fully(0);
    EXPECT_EQ(stats().evictions_clean, 1u);
    device.touch(0);
    settle();
    EXPECT_EQ(bytes(0)[chunk_bytes - 1], std::byte{2});
}

// Not even where it could leave without a write: it would have to come in again at once.
TEST_F(BlindEvictTest, AChunkThatIsTouchedWhileItIsComparedStays) {
    promise(0, 1);
    put(0, 1);
    evict_fully(0);
    device.touch(0);
    settle();
    workers.held = true;
    evict(0);
    settle();
    ASSERT_EQ(state(0), ChunkState::evicting);
    device.touch(0);
    settle();
    workers.held = false;
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(stats().recalls, 1u);
    EXPECT_EQ(stats().evictions, 1u);
}

TEST_F(EvictTest, ARefusedWriteTakesAnotherPlaceAndNeverTheOldOneAgain) {
    promise(0, 1);
    put(0, 1);
    for (uint64_t request = 0; request <= limits::io_retries_max; ++request)
        disk.faults[request] = {IoFault::Kind::fail, EIO};
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_EQ(stats().write_failures, 1u);
    const uint64_t refused = disk.requests.front().offset_bytes;
    EXPECT_NE(disk.requests.back().offset_bytes, refused);
    device.touch(0);
    settle();
    EXPECT_TRUE(all_bytes_are(0, 1));
    while (const auto place = store.allocate()) EXPECT_NE(place->offset_bytes(), refused);
}

TEST_F(EvictTest, AWriteFromMemoryThatIsGoneIsTheClientsDoing) {
    promise(0, 1);
    put(0, 1);
    const uint32_t room = store.chunks_max();
    disk.faults[0] = {IoFault::Kind::fail, EFAULT};
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(tamperings, 1u);
    EXPECT_EQ(store.chunks_max(), room);
    evict_fully(0);
    device.touch(0);
    settle();
    EXPECT_TRUE(all_bytes_are(0, 1));
}

TEST_F(EvictTest, ADiskThatRefusesEveryWriteCostsNoByte) {
    promise(0, 1);
    put(0, 1);
    for (uint64_t request = 0; request < 100; ++request)
        disk.faults[request] = {IoFault::Kind::fail, EIO};
    evict(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(all_bytes_are(0, 1));
    EXPECT_EQ(stats().chunks_lost, 0u);
}

TEST_F(EvictTest, AChunkDiscardedDuringItsWriteKeepsFrameAndPlaceUntilTheWriteEnds) {
    promise(0, 1);
    put(0, 1);
    disk.faults[0] = {IoFault::Kind::hold};
    evict(0);
    settle();
    request(RequestKind::discard, 0, 1, 7);
    settle();
    EXPECT_FALSE(device.called("close 0"));
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::vacant);
    EXPECT_EQ(engine.chunks_promised(), 0u);
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{7, Errc::ok}));
}

}  // namespace
}  // namespace ciuic::test
