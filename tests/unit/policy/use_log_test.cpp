// SPDX-License-Identifier: Apache-2.0
//
// Goal: the log answers what a plain vector of all uses would, as far back as it holds. Method: a
// short order by hand, and random uses of logs of many sizes beside that vector.
#include "policy/use_log.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ciuic {
namespace {

struct Logged {
    Logged(uint32_t capacity, uint32_t chunks)
        : uses(capacity, {77, 1, 77}), last(chunks, 77), log(uses, last) {}

    void append(uint32_t chunk) {
        log.append(ChunkIndex{chunk});
        all.push_back(chunk);
    }
    std::optional<uint32_t> latest_before(uint32_t chunk, size_t end) const {
        for (size_t position = end; position-- > 0 && all.size() - position <= uses.size();)
            if (all[position] == chunk) return static_cast<uint32_t>(position);
        return std::nullopt;
    }

    std::vector<Use> uses;
    std::vector<uint32_t> last;
    UseLog log;
    std::vector<uint32_t> all;
};

TEST(UseLogTest, KnowsTheUsesOfAChunk) {
    Logged logged(8, 4);
    for (const uint32_t chunk : {3u, 1u, 3u, 2u, 3u}) logged.append(chunk);
    EXPECT_EQ(logged.log.last_of(ChunkIndex{3}), 4u);
    EXPECT_EQ(logged.log.earlier(4), 2u);
    EXPECT_EQ(logged.log.earlier(2), 0u);
    EXPECT_EQ(logged.log.earlier(0), std::nullopt);
    EXPECT_EQ(logged.log.last_of(ChunkIndex{0}), std::nullopt);
    EXPECT_TRUE(logged.log.is_latest(1));
    EXPECT_FALSE(logged.log.is_latest(2));
}

TEST(UseLogTest, WhatItHasForgottenIsNotFound) {
    Logged logged(3, 4);
    for (const uint32_t chunk : {0u, 1u, 2u, 1u}) logged.append(chunk);
    EXPECT_EQ(logged.log.last_of(ChunkIndex{0}), std::nullopt);
    EXPECT_FALSE(logged.log.holds(0));
    EXPECT_TRUE(logged.log.holds(1));
    EXPECT_FALSE(logged.log.holds(4));
    EXPECT_EQ(logged.log.earlier(3), 1u);
}

TEST(UseLogTest, AnswersAsAllTheUsesWould) {
    for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
        Random random(seed);
        Logged logged(static_cast<uint32_t>(1 + random.below(40)), 12);
        for (int use = 0; use < 300; ++use) {
            logged.append(static_cast<uint32_t>(random.below(12)));
            for (uint32_t chunk = 0; chunk < 12; ++chunk) {
                const auto latest = logged.latest_before(chunk, logged.all.size());
                ASSERT_EQ(logged.log.last_of(ChunkIndex{chunk}), latest) << seed;
                if (!latest) continue;
                ASSERT_EQ(logged.log.at(*latest).chunk, chunk);
                ASSERT_EQ(logged.log.earlier(*latest), logged.latest_before(chunk, *latest));
            }
        }
    }
}

}  // namespace
}  // namespace ciuic
