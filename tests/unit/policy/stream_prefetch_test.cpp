// SPDX-License-Identifier: Apache-2.0
//
// Goal: streams are seen in both directions, proposals run ahead without gap or repetition, stay
// inside the address space, and shrink when they are not used.
// Method: touch sequences with the proposals collected.
#include "policy/stream_prefetch.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ciuic {
namespace {

constexpr uint32_t chunks = 100;

std::vector<uint32_t> numbers(const PrefetchProposal& proposal) {
    std::vector<uint32_t> result;
    for (uint32_t index = 0; index < proposal.count; ++index)
        result.push_back(static_cast<uint32_t>(static_cast<int64_t>(proposal.first.value) +
                                               int64_t{proposal.step} * index));
    return result;
}

TEST(StreamPrefetchTest, ProposesNothingForLoneTouches) {
    StreamPrefetch policy;
    for (const uint32_t chunk : {50u, 10u, 90u, 30u, 70u})
        EXPECT_EQ(policy.touched(ChunkIndex{chunk}, chunks).count, 0u);
    EXPECT_FALSE(policy.is_streaming());
}

TEST(StreamPrefetchTest, RunsAheadOfAnUpwardStreamWithoutGapOrRepetition) {
    StreamPrefetch policy{8};
    std::vector<uint32_t> proposed;
    for (uint32_t chunk = 10; chunk < 40; ++chunk) {
        const auto more = numbers(policy.touched(ChunkIndex{chunk}, chunks));
        proposed.insert(proposed.end(), more.begin(), more.end());
    }
    ASSERT_FALSE(proposed.empty());
    EXPECT_TRUE(policy.is_streaming());
    for (size_t index = 0; index < proposed.size(); ++index) EXPECT_EQ(proposed[index], 12 + index);
    EXPECT_EQ(proposed.back(), 39u + 8);
}

TEST(StreamPrefetchTest, FollowsADownwardStreamToTheEdge) {
    StreamPrefetch policy{8};
    std::vector<uint32_t> proposed;
    for (uint32_t chunk = 20; chunk-- > 0;) {
        const auto more = numbers(policy.touched(ChunkIndex{chunk}, chunks));
        proposed.insert(proposed.end(), more.begin(), more.end());
    }
    for (size_t index = 0; index < proposed.size(); ++index) EXPECT_EQ(proposed[index], 17 - index);
    EXPECT_EQ(proposed.back(), 0u);
}

TEST(StreamPrefetchTest, StopsAtTheEndOfTheSpace) {
    StreamPrefetch policy{8};
    policy.touched(ChunkIndex{97}, chunks);
    EXPECT_EQ(numbers(policy.touched(ChunkIndex{98}, chunks)), (std::vector<uint32_t>{99}));
    EXPECT_EQ(policy.touched(ChunkIndex{99}, chunks).count, 0u);
}

TEST(StreamPrefetchTest, KeepsFourStreamsApart) {
    StreamPrefetch policy{8};
    for (uint32_t round = 0; round < 10; ++round)
        for (const uint32_t base : {0u, 25u, 50u, 75u})
            policy.touched(ChunkIndex{base + round}, chunks);
    EXPECT_TRUE(policy.is_streaming());
}

TEST(StreamPrefetchTest, RunsLessFarAheadAfterWaste) {
    StreamPrefetch used;
    StreamPrefetch unused;
    for (uint32_t chunk = 10; chunk < 20; ++chunk) {
        used.touched(ChunkIndex{chunk}, chunks);
        unused.touched(ChunkIndex{chunk}, chunks);
    }
    for (const uint32_t chunk : {27u, 26u, 25u}) unused.wasted(ChunkIndex{chunk});
    EXPECT_EQ(numbers(used.touched(ChunkIndex{20}, chunks)), (std::vector<uint32_t>{28}));
    EXPECT_EQ(unused.touched(ChunkIndex{20}, chunks).count, 0u);
}

}  // namespace
}  // namespace ciuic
