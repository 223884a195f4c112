// SPDX-License-Identifier: Apache-2.0
//
// Goal: an empty chunk reads as zero, once, and a refused frame changes nothing.
// Method: scripts over the rig.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

using FillTest = EngineRig;
using BlindFillTest = BlindEngineRig;

TEST_F(FillTest, ATouchedEmptyChunkIsShownWritable) {
    promise(0, 4);
    device.touch(2);
    settle();
    EXPECT_EQ(state(2), ChunkState::resident);
    EXPECT_EQ(record(2).copies, Copies::device);
    EXPECT_EQ(device.calls, (std::vector<std::string>{"open 2", "reveal 2 rw"}));
    EXPECT_EQ(stats().fills, 1u);
    EXPECT_EQ(states[2].load(), static_cast<uint32_t>(ChunkState::resident));
}

TEST_F(BlindFillTest, AFrameWithOldBytesIsZeroedBeforeItIsShown) {
    std::fill(device.memory.begin(), device.memory.end(), std::byte{0xaa});
    promise(0, 1);
    workers.held = true;
    device.touch(0);
    settle();
    EXPECT_EQ(state(0), ChunkState::filling);
    EXPECT_FALSE(device.called("reveal 0 rw"));
    workers.held = false;
    settle();
    EXPECT_TRUE(all_bytes_are(0, 0));
    EXPECT_TRUE(device.called("reveal 0 rw"));
}

TEST_F(FillTest, ARefusedFrameIsAskedForAgain) {
    promise(0, 1);
    device.refused_opens = 1;
    device.touch(0);
    engine.tick();
    engine.verify();
    EXPECT_EQ(state(0), ChunkState::empty);
    EXPECT_EQ(engine.frames_free(), frames);
    settle();
    EXPECT_EQ(state(0), ChunkState::resident);
}

TEST_F(FillTest, ABusyDeviceIsAskedAgain) {
    promise(0, 1);
    device.busy = 3;
    device.touch(0);
    for (int turn = 0; turn < 5; ++turn) settle();
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(device.count("reveal 0 rw"), 1u);
}

TEST_F(BlindFillTest, AChunkDiscardedWhileItFillsIsNeverShown) {
    promise(0, 1);
    workers.held = true;
    device.touch(0);
    settle();
    request(RequestKind::discard, 0, 1, 7);
    settle();
    EXPECT_TRUE(completions.empty()) << "a chunk in a move cannot be given up yet";
    workers.held = false;
    settle();
    EXPECT_EQ(state(0), ChunkState::vacant);
    EXPECT_FALSE(device.called("reveal 0 rw"));
    EXPECT_TRUE(device.called("close 0"));
    EXPECT_EQ(completions, (std::vector<std::pair<uint64_t, Errc>>{{7, Errc::ok}}));
    EXPECT_EQ(engine.frames_free(), frames);
}

TEST_F(FillTest, ATouchOfAVacantChunkFailsLoudly) {
    device.touch(5);
    settle();
    EXPECT_EQ(device.calls, (std::vector<std::string>{"poison 5"}));
    EXPECT_EQ(stats().stray_touches, 1u);
}

}  // namespace
}  // namespace ciuic::test
