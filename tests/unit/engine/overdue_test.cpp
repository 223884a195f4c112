// SPDX-License-Identifier: Apache-2.0
//
// Goal: at a disk that hangs, whoever waits is answered at the deadline, and nothing that the disk
// may still write to or read from changes hands before it has let go.
// Method: reads and writes that are held, a clock that is moved, and late ends of all kinds.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

class OverdueTest : public EngineRig {
protected:
    void SetUp() override {
        promise(0, chunks);
        put(0, 7);
        evict_fully(0);
        device.calls.clear();
        next = disk.requests.size();
    }
    // The next requests do not end by themselves.
    void hang(size_t requests) {
        for (size_t request = 0; request < requests; ++request)
            disk.faults[next + request] = {IoFault::Kind::hold};
        hanging = requests;
    }
    void let_go() {
        for (size_t request = next; request < next + hanging; ++request)
            disk.release(disk.requests[request].token);
        settle();
    }
    void pass_deadline() {
        clock.advance(limits::frame_deadline);
        settle();
    }
    size_t next = 0;
    size_t hanging = 0;
    static constexpr size_t touch_reads = 2;  // the first block, and what lies behind it
};

TEST_F(OverdueTest, AHungReadIsRefusedAndItsFrameStaysUntilTheDiskLetsGo) {
    hang(touch_reads);
    device.touch(0);
    settle();
    clock.advance(limits::frame_deadline - Nanos{1});
    settle();
    EXPECT_FALSE(device.called("poison 0"));
    clock.advance({100'000'000});
    settle();
    EXPECT_EQ(device.count("poison 0"), 1u);
    EXPECT_EQ(stats().waits_expired, 1u);
    EXPECT_FALSE(device.called("close 0")) << "the disk may still write into the frame";
    EXPECT_EQ(engine.frames_free(), frames - 1);
    EXPECT_EQ(state(0), ChunkState::fetching);
    clock.advance(limits::frame_deadline);
    settle();
    EXPECT_EQ(device.count("poison 0"), 1u);

    let_go();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_EQ(device.count("close 0"), 1u);
    EXPECT_EQ(engine.frames_free(), frames);
    for (const std::string& call : device.calls) EXPECT_NE(call.substr(0, 6), "reveal") << call;
    EXPECT_EQ(stats().chunks_lost, 0u);
}

TEST_F(OverdueTest, ItsBytesAreThereAgainWhenTheyAreAskedForLater) {
    hang(touch_reads);
    device.touch(0);
    settle();
    pass_deadline();
    let_go();
    request(RequestKind::acquire, 0, 1, 5);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_TRUE(device.called("unpoison 0"));
    EXPECT_TRUE(all_bytes_are(0, 7));
}

TEST_F(OverdueTest, AReadThatEndsWithAnErrorAfterTheAnswerIsNotRepeated) {
    hang(2 * touch_reads);
    // The store's asking ends the first two; the repeats of these hang for good.
    for (size_t request = 0; request < touch_reads; ++request)
        disk.faults[next + request].value = 1;
    device.touch(0);
    settle();
    clock.advance(limits::io_deadline);
    settle();
    ASSERT_EQ(disk.requests.size(), next + 2 * touch_reads);
    clock.advance(limits::frame_deadline - limits::io_deadline);
    settle();
    EXPECT_TRUE(device.called("poison 0"));
    next += touch_reads;
    hanging = touch_reads;
    disk.bytes.assign(disk.bytes.size(), std::byte{9});  // what they read is damaged
    let_go();
    EXPECT_EQ(disk.requests.size(), next + touch_reads);
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_EQ(stats().chunks_lost, 0u);
}

TEST_F(OverdueTest, WhatNobodyTouchedIsNotRefused) {
    hang(1);
    request(RequestKind::acquire, 0, 1, 5);
    settle();
    pass_deadline();
    EXPECT_EQ(completions.back(), (std::pair<uint64_t, Errc>{5, Errc::timed_out}));
    EXPECT_FALSE(device.called("poison 0"));
    let_go();
    EXPECT_EQ(state(0), ChunkState::resident);
}

TEST_F(OverdueTest, AHungWriteGivesTheChunkBackAndItsPlaceIsTrustedNoMore) {
    put(1, 1);
    next = disk.requests.size();
    hang(1);
    evict(1);
    settle();
    ASSERT_EQ(state(1), ChunkState::evicting);
    device.touch_protected(1);
    settle();
    device.calls.clear();
    pass_deadline();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"restore 1"}));
    EXPECT_EQ(stats().waits_expired, 0u);
    std::memset(bytes(1), 2, chunk_bytes);  // the program goes on while the disk still reads
    let_go();
    EXPECT_EQ(state(1), ChunkState::resident);
    EXPECT_EQ(device.calls, (std::vector<std::string>{"restore 1"}));
    // The bytes as they were frozen: what the place holds must not be taken for them.
    std::memset(bytes(1), 1, chunk_bytes);
    const size_t before = disk.requests.size();
    evict_fully(1);
    EXPECT_EQ(disk.requests.size(), before + 1);
}

// The machine may take what was given back out of the program's page tables again.
TEST_F(OverdueTest, WhatWasGivenBackIsShownAgainWhereItIsTouched) {
    put(1, 1);
    next = disk.requests.size();
    hang(1);
    evict(1);
    settle();
    device.touch_protected(1);
    settle();
    pass_deadline();
    ASSERT_EQ(device.calls.back(), "restore 1");
    device.touch(1, false, 2 * block_bytes);
    settle();
    EXPECT_EQ(device.calls.back(), "reveal block 2 of 1 rw");
    device.calls.clear();
    device.busy = 1;
    device.touch(1, true, block_bytes);
    settle();
    EXPECT_EQ(device.calls.back(), "reveal 1 rw");
    EXPECT_EQ(state(1), ChunkState::evicting);
    let_go();
    EXPECT_EQ(state(1), ChunkState::resident);
}

class OverduePieceTest : public PiecesEngineRig {};

TEST_F(OverduePieceTest, AHungPieceIsRefusedAndItsSlotStaysUntilTheDiskLetsGo) {
    promise(0, chunks);
    store_chunk(0, 10);
    disk.faults[0] = {IoFault::Kind::hold};
    touch_block(0, 1);
    ASSERT_EQ(state(0), ChunkState::scattering);
    clock.advance(limits::frame_deadline);
    settle();
    EXPECT_EQ(device.count("poison 0"), 1u);
    EXPECT_EQ(engine.pieces_free(), pieces - 1);
    EXPECT_FALSE(device.called("close piece 0.1"));
    disk.release(disk.requests[0].token);
    settle();
    EXPECT_EQ(state(0), ChunkState::stored);
    EXPECT_FALSE(device.called("reveal piece 0.1"));
    EXPECT_EQ(engine.pieces_free(), pieces);
}

}  // namespace
}  // namespace ciuic::test
