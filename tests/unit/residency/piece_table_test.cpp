// SPDX-License-Identifier: Apache-2.0
//
// Goal: no piece is ever held twice, none is forgotten, and each chunk's list has its own.
// Method: random takes, links and returns against lists.
#include "residency/piece_table.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace ciuic {
namespace {

std::set<uint32_t> list_of(const PieceTable& table, uint32_t first) {
    std::set<uint32_t> list;
    for (uint32_t piece = first; piece != none_index; piece = table[PieceIndex{piece}].next)
        if (!list.insert(piece).second) break;  // a ring: the sizes will differ
    return list;
}

TEST(PieceTableTest, KeepsAListPerChunk) {
    std::array<Piece, 13> memory{};
    PieceTable table{memory};
    std::array<uint32_t, 3> first{none_index, none_index, none_index};
    std::array<std::set<uint32_t>, 3> held;
    Random random{1};
    for (uint32_t step = 0; step < 10'000; ++step) {
        const auto owner = static_cast<uint32_t>(random.below(3));
        if (table.free() > 0 && (held[owner].empty() || random.chance(1, 2))) {
            const ChunkRef chunk{SessionIndex{1}, ChunkIndex{owner}};
            const PieceIndex piece = table.take(chunk, step % 32);
            EXPECT_EQ(table[piece].owner, chunk);
            EXPECT_EQ(table[piece].block, step % 32);
            EXPECT_FALSE(table[piece].refused);
            table.link(first[owner], piece);
            ASSERT_TRUE(held[owner].insert(piece.value).second) << "step " << step;
            if (random.chance(1, 4)) table.mark_refused(piece);
        } else if (!held[owner].empty()) {
            const auto which = static_cast<long>(random.below(held[owner].size()));
            const PieceIndex piece{*std::next(held[owner].begin(), which)};
            table.unlink(first[owner], piece);
            table.give_back(piece);
            held[owner].erase(piece.value);
        }
        size_t count = 0;
        for (uint32_t index = 0; index < 3; ++index) {
            ASSERT_EQ(list_of(table, first[index]), held[index]) << "step " << step;
            count += held[index].size();
        }
        ASSERT_EQ(table.free() + count, memory.size());
    }
}

TEST(PieceTableDeathTest, StopsAtMisuse) {
    std::array<Piece, 2> memory{};
    PieceTable table{memory};
    uint32_t first = none_index;
    EXPECT_DEATH(table.give_back(PieceIndex{0}), "broken invariant");
    EXPECT_DEATH(table.link(first, PieceIndex{0}), "broken invariant");
    const PieceIndex piece = table.take({}, 0);
    EXPECT_DEATH(table.unlink(first, piece), "broken invariant") << "not in the list";
    table.link(first, piece);
    table.take({}, 1);
    EXPECT_DEATH(table.take({}, 2), "broken invariant");
}

}  // namespace
}  // namespace ciuic
