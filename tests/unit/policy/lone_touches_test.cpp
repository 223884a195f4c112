// SPDX-License-Identifier: Apache-2.0
//
// Goal: blocks while they stay alone, whole chunks while they are needed, and back. Method: what
// became of each block is told in turn.
#include "policy/lone_touches.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

TEST(LoneTouchesTest, BeginsWithBlocksAndLearnsThatChunksAreNeeded) {
    LoneTouches policy;
    int blocks = 0;
    for (int chunk = 0; chunk < 800; ++chunk)
        if (policy.wants_block()) {
            ++blocks;
            policy.needed_whole();
        }
    EXPECT_GE(blocks, 100) << "one in eight is tried";
    EXPECT_LE(blocks, 103);
}

TEST(LoneTouchesTest, ComesBackToBlocks) {
    LoneTouches policy;
    for (int chunk = 0; chunk < 100; ++chunk) policy.needed_whole();
    int asked = 0;
    for (int lone = 0; lone < 5; ++asked)
        if (policy.wants_block()) {
            policy.stayed_lone();
            ++lone;
        }
    EXPECT_LE(asked, 40);
    for (int chunk = 0; chunk < 100; ++chunk) EXPECT_TRUE(policy.wants_block());
}

}  // namespace
}  // namespace ciuic
