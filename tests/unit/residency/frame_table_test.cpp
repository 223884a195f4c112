// SPDX-License-Identifier: Apache-2.0
//
// Goal: no frame is ever held twice, and none is forgotten.
// Method: random takes and returns against a set.
#include "residency/frame_table.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace ciuic {
namespace {

TEST(FrameTableTest, HandsOutEveryFrameOnceAtATime) {
    std::array<Frame, 13> memory{};
    FrameTable table{memory};
    std::set<uint32_t> held;
    Random random{1};
    for (uint32_t step = 0; step < 10'000; ++step) {
        const ChunkRef owner{SessionIndex{1}, ChunkIndex{step}};
        if (table.free() > 0 && (held.empty() || random.chance(1, 2))) {
            const FrameIndex frame = table.take(owner);
            ASSERT_TRUE(held.insert(frame.value).second) << "step " << step;
            EXPECT_EQ(table[frame].owner, owner);
            EXPECT_FALSE(table[frame].movable);
        } else {
            const auto frame =
                std::next(held.begin(), static_cast<long>(random.below(held.size())));
            table.give_back(FrameIndex{*frame});
            held.erase(frame);
        }
        ASSERT_EQ(table.free() + held.size(), memory.size());
    }
}

TEST(FrameTableDeathTest, StopsAtMisuse) {
    std::array<Frame, 1> memory{};
    FrameTable table{memory};
    EXPECT_DEATH(table.give_back(FrameIndex{0}), "broken invariant");
    EXPECT_DEATH(table.set_movable(FrameIndex{0}, true), "broken invariant");
    table.take({});
    EXPECT_DEATH(table.take({}), "broken invariant");
    EXPECT_DEATH(table.give_back(FrameIndex{1}), "broken invariant");
}

}  // namespace
}  // namespace ciuic
