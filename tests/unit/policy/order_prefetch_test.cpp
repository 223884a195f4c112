// SPDX-License-Identifier: Apache-2.0
//
// Goal: along a known order just the next chunks are proposed, each once, more of them as they
// prove right; where the order is left, nothing is. Method: an order of chunks without neighbours;
// a model of what is here.
#include "policy/order_prefetch.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace ciuic {
namespace {

class OrderPrefetchTest : public ::testing::Test {
protected:
    static constexpr uint32_t chunks = 400;
    static constexpr uint32_t depth_max = 8;

    void SetUp() override {
        std::iota(order.begin(), order.end(), 0);
        Random random(1);
        for (size_t left = order.size(); left > 1; --left)
            std::swap(order[left - 1], order[random.below(left)]);
    }
    void touch_all(int periods) {
        for (int period = 0; period < periods; ++period)
            for (const uint32_t chunk : order) prefetch.touched(ChunkIndex{chunk});
    }
    // Takes all that is proposed now.
    std::vector<uint32_t> take() {
        std::vector<uint32_t> taken;
        while (const auto chunk = prefetch.proposal()) {
            taken.push_back(chunk->value);
            prefetch.pass(true);
        }
        return taken;
    }
    std::vector<uint32_t> after(size_t place, size_t count) {
        return {order.begin() + static_cast<ptrdiff_t>(place),
                order.begin() + static_cast<ptrdiff_t>(place + count)};
    }

    std::vector<uint64_t> memory = std::vector<uint64_t>(chunks * 4);
    std::vector<uint32_t> order = std::vector<uint32_t>(chunks);
    OrderPrefetch prefetch{std::as_writable_bytes(std::span(memory)), chunks, depth_max};
};

TEST_F(OrderPrefetchTest, NothingIsProposedOfAnOrderThatIsNew) {
    for (const uint32_t chunk : order) {
        prefetch.touched(ChunkIndex{chunk});
        ASSERT_EQ(prefetch.proposal(), std::nullopt);
    }
}

TEST_F(OrderPrefetchTest, ProposesWhatComesNextEachOnce) {
    touch_all(2);
    EXPECT_EQ(take(), after(0, depth_max));
    EXPECT_EQ(prefetch.proposal(), std::nullopt);
    for (size_t place = 0; place + depth_max < order.size(); ++place) {
        prefetch.touched(ChunkIndex{order[place]});
        ASSERT_EQ(take(), after(place + depth_max, 1)) << place;
    }
}

TEST_F(OrderPrefetchTest, WhatIsHereIsPassedOver) {
    touch_all(2);
    for (int number = 0; number < 3; ++number) prefetch.pass(false);
    EXPECT_EQ(take(), after(3, depth_max));
}

TEST_F(OrderPrefetchTest, WhatIsHereIsLookedThroughForSoFarOnly) {
    touch_all(2);
    uint32_t looked_at = 0;
    for (; prefetch.proposal(); ++looked_at) prefetch.pass(false);
    EXPECT_EQ(looked_at, limits::order_reach);
}

TEST_F(OrderPrefetchTest, GoesOnAfterAUseThatIsNotOfTheOrder) {
    touch_all(2);
    take();
    prefetch.touched(ChunkIndex{order[200]});
    EXPECT_EQ(prefetch.proposal(), std::nullopt);
    prefetch.touched(ChunkIndex{order[0]});
    EXPECT_EQ(take(), after(depth_max, 1));
}

TEST_F(OrderPrefetchTest, WhatWasTakenBackIsProposedAgainAndFewerAreAhead) {
    touch_all(2);
    take();
    prefetch.wasted(ChunkIndex{order[5]});
    EXPECT_EQ(prefetch.proposal(), std::nullopt);
    prefetch.touched(ChunkIndex{order[0]});
    EXPECT_EQ(take(), after(5, 4)) << "four were ahead, and each that proves right doubles it";
    prefetch.wasted(ChunkIndex{order[8]});
    prefetch.wasted(ChunkIndex{order[1]});
    prefetch.touched(ChunkIndex{order[200]});
    EXPECT_EQ(take(), after(1, 2)) << "a half twice, and nothing proved right";
}

TEST_F(OrderPrefetchTest, AnOrderThatIsLeftIsNotFollowed) {
    touch_all(2);
    Random random(2);
    for (int number = 0; number < 40; ++number) {
        prefetch.touched(ChunkIndex{static_cast<uint32_t>(random.below(chunks))});
        take();
    }
    EXPECT_FALSE(prefetch.is_leading());
    EXPECT_EQ(prefetch.proposal(), std::nullopt);
}

}  // namespace
}  // namespace ciuic
