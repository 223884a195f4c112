// SPDX-License-Identifier: Apache-2.0
#include "machine/hardware.hpp"

#include "tests/unit/machine/machines.hpp"

#include <gtest/gtest.h>

namespace ciuic::machine::test {
namespace {

// Goal: a card in a lesser slot gets what that slot gives. Method: each combination by hand.
TEST(Hardware, TheSlotDecidesWithTheCard) {
    Host host = roomy_host();
    EXPECT_DOUBLE_EQ(slot_share(rtx_4090(), host), 1.0);
    host.slot = {3, 16};
    EXPECT_DOUBLE_EQ(slot_share(rtx_4090(), host), 12.3 / 25);
    EXPECT_DOUBLE_EQ(slot_share(h100(), host), 12.3 / 55);
    host.slot = {4, 8};
    EXPECT_DOUBLE_EQ(slot_share(rtx_4090(), host), 0.5);
    EXPECT_DOUBLE_EQ(slot_share(h100(), host), 25.0 / 55 / 2);
    host.slot = {2, 16};
    EXPECT_DOUBLE_EQ(slot_share(rtx_4090(), host), 12.3 / 2 / 25);
    Card newer = h100();
    newer.slot.generation = 6;
    host.slot = {5, 16};
    EXPECT_DOUBLE_EQ(slot_share(newer, host), 0.5);
}

// Goal: a system that takes all memory leaves no room, not a huge one. Method: one that does.
TEST(Hardware, RoomIsWhatTheSystemLeaves) {
    Host host = roomy_host();
    EXPECT_EQ(host.room_bytes(), 4092 * gb);
    host.reserved_bytes = host.memory_bytes + 1;
    EXPECT_EQ(host.room_bytes(), 0u);
}

}  // namespace
}  // namespace ciuic::machine::test
