// SPDX-License-Identifier: Apache-2.0
#include "client/address_allocator.hpp"

#include "base/random.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace ciuic {
namespace {

// The obvious allocator: an owner per chunk, every question answered by a scan.
class Model {
public:
    explicit Model(uint32_t chunks) : owners_(chunks, no_one) {}

    struct Block {
        uint32_t length;
        uint32_t used;
        uint32_t tag;
    };
    std::map<uint32_t, Block> blocks;

    // The length of the hole at `first`, 0 when there is none.
    uint32_t hole_at(uint32_t first) const {
        uint32_t end = first;
        while (end < owners_.size() && owners_[end] == no_one) ++end;
        return end - first;
    }
    // The shortest hole that holds `length`; 0 when none does.
    uint32_t best_fit(uint32_t length) const {
        uint32_t best = 0;
        for (uint32_t first = 0; first < owners_.size(); ++first) {
            const uint32_t hole = hole_at(first);
            if (hole >= length && (best == 0 || hole < best)) best = hole;
            if (hole > 0) first += hole - 1;
        }
        return best;
    }
    bool starts_hole(uint32_t first) const { return first == 0 || owners_[first - 1] != no_one; }
    void own(uint32_t first, uint32_t length, uint32_t owner) {
        std::fill_n(owners_.begin() + first, length, owner);
    }
    static constexpr uint32_t no_one = 0xffffffff;

private:
    std::vector<uint32_t> owners_;
};

class AddressAllocatorWalk {
public:
    AddressAllocatorWalk(uint32_t chunks, Random random)
        : chunks_(chunks), random_(random), model_(chunks),
          allocator_(*AddressAllocator::create(chunks)) {}

    void step() {
        switch (random_.below(3)) {
        case 0: allocate(); break;
        case 1: release(); break;
        case 2: resize(); break;
        }
        allocator_.verify();
    }

    void release_all() {
        while (!model_.blocks.empty()) release();
        allocator_.verify();
        EXPECT_TRUE(allocator_.allocate(chunks_, 0, 0).has_value());
    }

private:
    void allocate() {
        // Mostly small, sometimes as long as half of everything.
        const uint64_t most = random_.chance(1, 8) ? chunks_ / 2 : 9;
        const auto used = static_cast<uint32_t>(1 + random_.below(most));
        const auto slack = static_cast<uint32_t>(random_.below(2) * random_.below(most));
        const auto tag = static_cast<uint32_t>(random_.next());
        const uint32_t best = model_.best_fit(used + slack);
        const auto first = allocator_.allocate(used, slack, tag);
        ASSERT_EQ(first.has_value(), best > 0);
        if (!first) return;
        ASSERT_TRUE(model_.starts_hole(*first));
        ASSERT_EQ(model_.hole_at(*first), best);
        model_.own(*first, used + slack, *first);
        model_.blocks[*first] = {used + slack, used, tag};
        check(*first);
    }

    void release() {
        if (model_.blocks.empty()) return;
        const auto chosen = any_block();
        allocator_.release(chosen->first);
        ASSERT_FALSE(allocator_.is_block(chosen->first));
        model_.own(chosen->first, chosen->second.length, Model::no_one);
        model_.blocks.erase(chosen);
    }

    void resize() {
        if (model_.blocks.empty()) return;
        const auto chosen = any_block();
        const uint32_t first = chosen->first;
        Model::Block& block = chosen->second;
        const auto wanted = static_cast<uint32_t>(random_.below(2 * block.length + 2));
        const uint32_t room = block.length + model_.hole_at(first + block.length);
        ASSERT_EQ(allocator_.resize(first, wanted), wanted <= room);
        if (wanted <= room) {
            block.used = wanted;
            block.length = std::max(block.length, wanted);
            model_.own(first, block.length, first);
        }
        check(first);
    }

    void check(uint32_t first) {
        ASSERT_TRUE(allocator_.is_block(first));
        ASSERT_EQ(allocator_.used(first), model_.blocks[first].used);
        ASSERT_EQ(allocator_.tag(first), model_.blocks[first].tag);
        ASSERT_GE(allocator_.high_water(), first + model_.blocks[first].length);
        ASSERT_LE(allocator_.high_water(), chunks_);
    }

    std::map<uint32_t, Model::Block>::iterator any_block() {
        return std::next(model_.blocks.begin(),
                         static_cast<ptrdiff_t>(random_.below(model_.blocks.size())));
    }

    uint32_t chunks_;
    Random random_;
    Model model_;
    AddressAllocator allocator_;
};

// Goal: blocks never overlap, the best hole is always found, growth in place succeeds exactly where
// there is room, and holes always grow back together. Method: random calls, each compared with the
// model and followed by verify(); in the end everything is one hole again.
TEST(AddressAllocator, AgreesWithTheModelOnRandomCalls) {
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    for (const uint32_t chunks : {1u, 2u, 7u, 64u, 500u}) {
        SCOPED_TRACE("chunks " + std::to_string(chunks));
        AddressAllocatorWalk walk(chunks, Random(seed + chunks));
        for (int step = 0; step < 3000 && !testing::Test::HasFatalFailure(); ++step) walk.step();
        walk.release_all();
    }
}

// Goal: a block grows into its slack without asking anyone, and past it into the hole behind, but
// never into a neighbour. Method: two blocks with slack side by side.
TEST(AddressAllocator, GrowsInPlaceUpToTheNeighbour) {
    auto allocator = *AddressAllocator::create(100);
    const uint32_t first = *allocator.allocate(10, 10, 0);
    const uint32_t second = *allocator.allocate(10, 0, 0);
    ASSERT_EQ(second, first + 20);
    EXPECT_TRUE(allocator.resize(first, 20));
    EXPECT_FALSE(allocator.resize(first, 21));
    EXPECT_EQ(allocator.used(first), 20u);
    EXPECT_TRUE(allocator.resize(second, 80));
    EXPECT_FALSE(allocator.resize(second, 81));
    allocator.release(second);
    EXPECT_TRUE(allocator.resize(first, 100));
    allocator.verify();
}

// Goal: sizes near 2^32 are refused, not wrapped around. Method: sums that overflow 32 bits.
TEST(AddressAllocator, RefusesSizesThatWouldWrap) {
    auto allocator = *AddressAllocator::create(16);
    EXPECT_FALSE(allocator.allocate(0xffffffff, 0xffffffff, 0).has_value());
    EXPECT_FALSE(allocator.allocate(1, 0xffffffff, 0).has_value());
    EXPECT_FALSE(allocator.allocate(17, 0, 0).has_value());
    EXPECT_TRUE(allocator.allocate(1, 15, 0).has_value());
}

}  // namespace
}  // namespace ciuic
