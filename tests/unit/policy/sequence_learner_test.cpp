// SPDX-License-Identifier: Apache-2.0
//
// Goal: an order that comes again is found, kept through noise, branches and other threads, and
// left at once when it ends. Method: orders made here; what comes next is asked before each use.
#include "policy/sequence_learner.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace ciuic {
namespace {

using Order = std::vector<uint32_t>;

Order shuffled(uint32_t chunks, uint64_t seed, uint32_t first = 0) {
    Order order(chunks);
    std::iota(order.begin(), order.end(), first);
    Random random(seed);
    for (size_t left = order.size(); left > 1; --left)
        std::swap(order[left - 1], order[random.below(left)]);
    return order;
}

class SequenceLearnerTest : public ::testing::Test {
protected:
    static constexpr uint32_t chunks = 1000;

    // The share of the uses that were the very next one expected.
    double use(const Order& order) {
        uint32_t expected = 0;
        for (const uint32_t chunk : order) {
            std::array<ChunkIndex, 1> next;
            if (learner.upcoming(next) == 1 && next[0].value == chunk) ++expected;
            learner.used(ChunkIndex{chunk});
            log.append(ChunkIndex{chunk});
        }
        return static_cast<double>(expected) / static_cast<double>(order.size());
    }

    std::vector<Use> uses = std::vector<Use>(3 * chunks);
    std::vector<uint32_t> last = std::vector<uint32_t>(chunks);
    UseLog log{uses, last};
    SequenceLearner learner{log};
};

TEST_F(SequenceLearnerTest, FindsAnOrderInItsSecondPeriod) {
    const Order order = shuffled(400, 1);
    EXPECT_EQ(use(order), 0.0);
    EXPECT_FALSE(learner.is_confident());
    EXPECT_GE(use(order), 0.99);
    EXPECT_TRUE(learner.is_confident());
    EXPECT_EQ(learner.period(), 400u);
    EXPECT_EQ(use(order), 1.0);
}

TEST_F(SequenceLearnerTest, SaysWhenEachTurnComes) {
    const Order order = shuffled(400, 2);
    use(order);
    use(order);
    use({order.begin(), order.begin() + 100});
    for (const uint32_t place : {100u, 101u, 250u, 399u})
        EXPECT_EQ(learner.next_use(ChunkIndex{order[place]}), learner.at() + place - 99);
    // Its turn in this period is over.
    EXPECT_EQ(learner.next_use(ChunkIndex{order[0]}), learner.at() + 301);
    EXPECT_EQ(learner.next_use(ChunkIndex{999}), std::nullopt);
}

TEST_F(SequenceLearnerTest, TellsThePlacesOfOneChunkApartByWhatCameBefore) {
    // There and back again: each chunk has two neighbours, and which is next depends on the way.
    Order there_and_back = shuffled(300, 3);
    there_and_back.insert(there_and_back.end(), there_and_back.rbegin(), there_and_back.rend());
    use(there_and_back);
    EXPECT_GE(use(there_and_back), 0.9);
    EXPECT_GE(use(there_and_back), 0.99);
}

TEST_F(SequenceLearnerTest, NoiseDoesNotLoseThePlace) {
    const Order order = shuffled(400, 4);
    Random random(5);
    Order noisy;
    for (int period = 0; period < 4; ++period) {
        for (const uint32_t chunk : order) {
            noisy.push_back(chunk);
            if (random.chance(1, 20)) noisy.push_back(static_cast<uint32_t>(random.below(400)));
        }
    }
    use({noisy.begin(), noisy.begin() + 900});
    EXPECT_GE(use({noisy.begin() + 900, noisy.end()}), 0.85);
    EXPECT_TRUE(learner.is_confident());
}

TEST_F(SequenceLearnerTest, ABranchIsLeftOutAndCounted) {
    const Order order = shuffled(400, 6);
    use(order);
    use(order);
    use({order.begin(), order.begin() + 200});
    const uint32_t before = learner.at();
    const auto step = learner.used(ChunkIndex{order[204]});
    EXPECT_TRUE(step.came_true);
    EXPECT_EQ(step.first_left_out, before + 1);
    EXPECT_EQ(step.found, before + 5);
    log.append(ChunkIndex{order[204]});
    EXPECT_EQ(use({order.begin() + 205, order.end()}), 1.0);
}

TEST_F(SequenceLearnerTest, TwoThreadsHaveAnOrderEach) {
    // Of different lengths, so that they meet at another place each time.
    const Order one = shuffled(200, 7);
    const Order other = shuffled(210, 8, 500);
    Order both;
    for (uint32_t turn = 0; turn < 1500; ++turn) {
        both.push_back(one[turn % one.size()]);
        both.push_back(other[turn % other.size()]);
    }
    use({both.begin(), both.begin() + 1000});
    EXPECT_GE(learner.period(), 200u);
    uint32_t came_true = 0;
    for (size_t index = 1000; index < both.size(); ++index) {
        came_true += learner.used(ChunkIndex{both[index]}).came_true ? 1 : 0;
        log.append(ChunkIndex{both[index]});
    }
    EXPECT_GE(came_true, 900u);  // one thread's uses are half of the 2000
}

TEST_F(SequenceLearnerTest, WhatEndsIsLeftAtOnce) {
    const Order order = shuffled(400, 9);
    for (int period = 0; period < 3; ++period) use(order);
    ASSERT_TRUE(learner.is_confident());
    use(shuffled(40, 10, 500));
    EXPECT_FALSE(learner.is_confident());
}

TEST_F(SequenceLearnerTest, SkewedRandomUseIsNotAnOrder) {
    Random random(11);
    uint32_t confident = 0;
    for (int use_number = 0; use_number < 20'000; ++use_number) {
        const uint64_t bound = 1 + random.below(400);  // about 1/x
        const ChunkIndex chunk{static_cast<uint32_t>(random.below(bound))};
        learner.used(chunk);
        log.append(chunk);
        if (learner.is_confident()) ++confident;
    }
    EXPECT_EQ(confident, 0u);
}

TEST_F(SequenceLearnerTest, AnOrderLongerThanTheLogIsNotFollowed) {
    std::vector<Use> few(300);
    UseLog short_log(few, last);
    SequenceLearner short_learner(short_log);
    const Order order = shuffled(400, 12);
    for (int period = 0; period < 5; ++period) {
        for (const uint32_t chunk : order) {
            short_learner.used(ChunkIndex{chunk});
            short_log.append(ChunkIndex{chunk});
        }
        EXPECT_FALSE(short_learner.is_confident());
    }
}

}  // namespace
}  // namespace ciuic
