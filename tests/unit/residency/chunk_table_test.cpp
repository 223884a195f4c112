// SPDX-License-Identifier: Apache-2.0
//
// Goal: apply() is the transition table and nothing else.
// Method: every state x every event, compared with transitions[]; forbidden ones must stop the
// program; the allowed ones must lead to the state and the copies that the table names.
#include "residency/chunk_table.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ciuic {
namespace {

class ChunkTableTest : public ::testing::Test {
protected:
    void put(ChunkState state, Copies copies) {
        records[0] = ChunkRecord{};
        records[0].state = state;
        records[0].copies = copies;
        if (is_moving(state))
            records[0].move = 0;
        else
            records[0].move = none_index;
        if (holds(copies, Copies::store)) {
            records[0].place_granules = 1;
            records[0].flags |= ChunkFlags::kept;
        }
    }

    std::array<ChunkRecord, 1> records{};
    ChunkTable table{records};
    const ChunkIndex chunk{0};
};
using ChunkTableDeathTest = ChunkTableTest;

template <typename Visit> void for_each_situation(Visit visit) {
    for (size_t state = 0; state < chunk_states; ++state)
        for (size_t event = 0; event < chunk_events; ++event)
            for (uint8_t set = 0; set <= static_cast<uint8_t>(Copies::all); ++set)
                if (const auto copies = static_cast<Copies>(set);
                    is_consistent(static_cast<ChunkState>(state), copies))
                    visit(static_cast<ChunkState>(state), static_cast<ChunkEvent>(event), copies);
}

TEST_F(ChunkTableTest, AppliesEveryRowAndAllowsNothingElse) {
    for_each_situation([&](ChunkState state, ChunkEvent event, Copies copies) {
        SCOPED_TRACE(chunk_state_text(state));
        put(state, copies);
        const auto row = next(state, event);
        ASSERT_EQ(table.allows(chunk, event), row.has_value());
        if (!row) return;
        table.apply(chunk, event);
        EXPECT_EQ(table[chunk].state, row->to);
        EXPECT_EQ(table[chunk].copies, with(without(copies, row->given_up), row->gained));
    });
}

TEST_F(ChunkTableDeathTest, StopsAtEveryEventThatTheTableDoesNotName) {
    // One forbidden event per state: a death test forks, and 110 forks test nothing more.
    put(ChunkState::vacant, Copies::none);
    EXPECT_DEATH(table.apply(chunk, ChunkEvent::fill_start), "broken invariant");
    put(ChunkState::fetching, Copies::store);
    EXPECT_DEATH(table.apply(chunk, ChunkEvent::discard), "broken invariant");
    put(ChunkState::evicting, Copies::device);
    EXPECT_DEATH(table.apply(chunk, ChunkEvent::clear), "broken invariant");
    put(ChunkState::lost, Copies::none);
    EXPECT_DEATH(table.apply(chunk, ChunkEvent::fetch_start), "broken invariant");
    put(ChunkState::stored, Copies::store);
    EXPECT_DEATH(table.apply(chunk, ChunkEvent::evict_start), "broken invariant");
    EXPECT_DEATH(table.apply(ChunkIndex{1}, ChunkEvent::promise), "broken invariant");
}

TEST_F(ChunkTableTest, AWriteLeavesTheDeviceCopyAlone) {
    put(ChunkState::resident, Copies::both);
    table.apply(chunk, ChunkEvent::write);
    EXPECT_EQ(table[chunk].copies, Copies::device);
}

// Goal: each invariant of is_sound() can fail. Method: break one fact at a time.
TEST_F(ChunkTableTest, SeesEveryBrokenFact) {
    const auto sound = [&] { return table.is_sound(chunk, 4); };
    put(ChunkState::resident, Copies::device);
    EXPECT_TRUE(sound());
    records[0].frame = 4;
    EXPECT_FALSE(sound()) << "frame outside the device";
    put(ChunkState::fetching, Copies::store);
    EXPECT_TRUE(sound());
    records[0].move = none_index;
    EXPECT_FALSE(sound()) << "moving without a move";
    put(ChunkState::stored, Copies::store);
    EXPECT_TRUE(sound());
    records[0].flags = 0;
    EXPECT_FALSE(sound()) << "a store copy that its place does not hold";
    put(ChunkState::stored, Copies::store);
    records[0].place_granules = 0;
    EXPECT_FALSE(sound()) << "a store copy without a place";
    put(ChunkState::resident, Copies::device);
    records[0].flags = ChunkFlags::kept;
    EXPECT_FALSE(sound()) << "kept without a place";
    put(ChunkState::resident, Copies::device);
    records[0].flags = ChunkFlags::doomed;
    EXPECT_FALSE(sound()) << "doomed while settled";
    put(ChunkState::evicting, Copies::device);
    records[0].flags = ChunkFlags::cleared;
    EXPECT_FALSE(sound()) << "cleared without doomed";
    put(ChunkState::vacant, Copies::none);
    records[0].place_granules = 1;
    EXPECT_FALSE(sound()) << "vacant with a place";
    put(ChunkState::stored, Copies::none);
    EXPECT_FALSE(sound()) << "stored without a copy";
}

}  // namespace
}  // namespace ciuic
