// SPDX-License-Identifier: Apache-2.0
//
// Goal: the rule whose victims stay away longer rules, one that is as good does not, and what the
// program gives up says nothing. Method: scripts in which each victim's return is decided by the
// rule that chose it; eviction_traces_test runs whole programs.
#include "policy/eviction_trial.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <utility>

namespace ciuic {
namespace {

class EvictionTrialTest : public ::testing::Test {
protected:
    static constexpr uint32_t frames = 64;
    // After how many evictions a victim of the rule comes back; 0: never.
    using Returns = std::function<uint32_t(EvictionRule)>;

    void run(uint32_t evictions, const Returns& returns) {
        for (; evictions > 0; --evictions) {
            const EvictionRule by = trial.next();
            by_rule[static_cast<size_t>(by)] += 1;
            const uint32_t after = returns(by);
            if (after > 0) coming.emplace_back(now + after, chunks);
            trial.left(by, ChunkIndex{chunks++}, frames);
            ++now;
            for (const auto& [when, chunk] : coming)
                if (when == now) trial.came_back(ChunkIndex{chunk});
            std::erase_if(coming, [&](const auto& item) { return item.first <= now; });
        }
    }
    static Returns fixed(uint32_t recency, uint32_t keep_old) {
        return [=](EvictionRule by) { return by == EvictionRule::recency ? recency : keep_old; };
    }

    EvictionTrial trial;
    std::deque<std::pair<uint32_t, uint32_t>> coming;  // when, which chunk
    std::array<uint32_t, 2> by_rule{};
    uint32_t now = 0;
    uint32_t chunks = 0;
};

TEST_F(EvictionTrialTest, BeginsWithRecencyAndTriesTheOtherInAFewOfManyEvictions) {
    EXPECT_EQ(trial.ruling(), EvictionRule::recency);
    run(256, fixed(0, 0));
    EXPECT_EQ(by_rule[1], 64u);
    by_rule = {};
    run(1600, fixed(0, 0));
    EXPECT_EQ(by_rule[1], 100u);
}

TEST_F(EvictionTrialTest, WhatStaysAwayLongerRules) {
    run(200, fixed(frames, 2 * frames));
    EXPECT_EQ(trial.ruling(), EvictionRule::keep_old);
    by_rule = {};
    run(160, fixed(frames, 2 * frames));
    EXPECT_EQ(trial.ruling(), EvictionRule::keep_old);
    EXPECT_LE(by_rule[0], 40u);
}

TEST_F(EvictionTrialTest, ATieIsRecencys) {
    run(2000, fixed(frames, frames));
    EXPECT_EQ(trial.ruling(), EvictionRule::recency);
    run(2000, fixed(0, 0));
    EXPECT_EQ(trial.ruling(), EvictionRule::recency) << "neither ever comes back";
}

TEST_F(EvictionTrialTest, ATieByChanceIsRecencysMoreOftenThanNot) {
    Random random(1);
    uint32_t kept_old = 0;
    constexpr uint32_t steps = 100'000;
    for (uint32_t step = 0; step < steps; ++step) {
        run(1, [&](EvictionRule) { return 1 + static_cast<uint32_t>(random.below(2 * frames)); });
        kept_old += trial.ruling() == EvictionRule::keep_old;
    }
    EXPECT_LT(kept_old, steps * 4 / 10);
}

TEST_F(EvictionTrialTest, VictimsThatComeBackAtOnceDoNotRule) {
    run(2000, fixed(2 * frames, 3));
    EXPECT_EQ(trial.ruling(), EvictionRule::recency);
}

TEST_F(EvictionTrialTest, ARuleThatHasGoneWrongIsLeftWithinThreeTurnovers) {
    run(1000, fixed(frames, 2 * frames));
    ASSERT_EQ(trial.ruling(), EvictionRule::keep_old);
    run(3 * frames, fixed(0, 5));
    EXPECT_EQ(trial.ruling(), EvictionRule::recency);
}

TEST_F(EvictionTrialTest, WhatWasGivenUpNeverComesBack) {
    trial.left(trial.next(), ChunkIndex{7}, frames);
    ASSERT_EQ(trial.away(EvictionRule::keep_old), 1u);
    trial.given_up(ChunkIndex{7});
    trial.came_back(ChunkIndex{7});  // other bytes at the same place
    EXPECT_EQ(trial.away(EvictionRule::keep_old), 1u);
}

TEST_F(EvictionTrialTest, AReturnCountsOnce) {
    trial.left(trial.next(), ChunkIndex{7}, frames);
    trial.came_back(ChunkIndex{8});
    EXPECT_EQ(trial.away(EvictionRule::keep_old), 1u);
    trial.came_back(ChunkIndex{7});
    trial.came_back(ChunkIndex{7});
    EXPECT_EQ(trial.away(EvictionRule::keep_old), 0u);
}

// A rule may have nothing to offer: what was evicted by the other one in its place is no trial.
TEST_F(EvictionTrialTest, AnEvictionByTheOtherRuleIsNotFollowedInItsPlace) {
    for (uint32_t chunk = 0; chunk < 100; ++chunk)
        trial.left(EvictionRule::recency, ChunkIndex{chunk}, frames);
    EXPECT_EQ(trial.away(EvictionRule::recency), 0u);
    EXPECT_EQ(trial.next(), EvictionRule::keep_old);
}

TEST_F(EvictionTrialTest, FollowsAsManyOfEachForFourTurnoversAtMost) {
    for (const uint32_t many : {16u, 64u, 10'000u}) {
        SCOPED_TRACE(many);
        EvictionTrial long_trial;
        for (uint32_t chunk = 0; chunk < 10 * many; ++chunk) {
            long_trial.left(long_trial.next(), ChunkIndex{chunk}, many);
            const uint32_t kept_old = long_trial.away(EvictionRule::keep_old);
            const uint32_t recency = long_trial.away(EvictionRule::recency);
            ASSERT_LE(kept_old + recency, limits::victims_followed);
            ASSERT_LE(kept_old - std::min(kept_old, recency), 1u);
            ASSERT_LE(recency - std::min(kept_old, recency), 1u);
        }
        // Nothing that left in the last four turnovers is forgotten, however many the frames.
        const uint32_t followed = std::min(4 * many / 16, limits::victims_followed / 2);
        EXPECT_GE(long_trial.away(EvictionRule::recency), followed - 2);
        EXPECT_LE(long_trial.away(EvictionRule::recency), 4 * many / 4 + 1);
    }
}

}  // namespace
}  // namespace ciuic
