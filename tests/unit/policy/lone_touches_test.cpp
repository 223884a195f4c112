// SPDX-License-Identifier: Apache-2.0
//
// Goal: blocks while they stay alone, whole chunks while they are needed, and back. Method: what
// became of each block is told in turn.
#include "policy/lone_touches.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

class LoneTouchesTest : public ::testing::Test {
protected:
    // A chunk that is gone through, as most programs do. True: it began as a block.
    bool go_through(uint32_t chunk) {
        if (!policy.wants_block(ChunkIndex{chunk})) return false;
        policy.began(ChunkIndex{chunk});
        policy.needed_whole(ChunkIndex{chunk});
        return true;
    }
    bool touch(uint32_t chunk) {
        if (!policy.wants_block(ChunkIndex{chunk})) return false;
        policy.began(ChunkIndex{chunk});
        return true;
    }

    LoneTouches policy;
};

TEST_F(LoneTouchesTest, BeginsWithBlocksAndLearnsThatChunksAreNeeded) {
    int blocks = 0;
    for (uint32_t chunk = 0; chunk < 34; ++chunk) blocks += go_through(chunk);
    EXPECT_EQ(blocks, 2 + 4) << "two, then one in eight";
    blocks = 0;
    for (uint32_t chunk = 0; chunk < 8 + 16 + 32 + 640; ++chunk) blocks += go_through(chunk);
    EXPECT_EQ(blocks, 3 + 10) << "fewer and fewer, down to one in 64";
}

TEST_F(LoneTouchesTest, ComesBackToBlocks) {
    for (uint32_t chunk = 0; chunk < 100; ++chunk) go_through(chunk);
    uint32_t asked = 0;
    for (int lone = 0; lone < 6; ++asked) lone += touch(asked);
    EXPECT_LE(asked, 64u + 5 * 8) << "the first that stays alone brings back one in eight";
    for (uint32_t chunk = 0; chunk < 100; ++chunk) EXPECT_TRUE(touch(chunk));
}

// Chunks that are touched again and again at random are wanted whole at last, but not because they
// are gone through.
TEST_F(LoneTouchesTest, AChunkThatIsWantedWholeMuchLaterSaysNothing) {
    for (uint32_t round = 0; round < 100; ++round) {
        EXPECT_TRUE(touch(round));
        if (round >= 4) policy.needed_whole(ChunkIndex{round - 4});
    }
}

}  // namespace
}  // namespace ciuic
