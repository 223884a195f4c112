// SPDX-License-Identifier: Apache-2.0
#include "trace/general_patterns.hpp"

#include "tests/unit/trace/flat_trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace ciuic::trace::test {
namespace {

using Chunks = std::vector<uint32_t>;

TEST(GeneralPatterns, CyclicGoesRound) {
    EXPECT_EQ(made("cyclic", {{"chunks", 3}, {"periods", 2}}).chunks, (Chunks{0, 1, 2, 0, 1, 2}));
}

TEST(GeneralPatterns, ZigzagGoesThereAndBack) {
    EXPECT_EQ(made("zigzag", {{"chunks", 3}, {"periods", 2}}).chunks,
              (Chunks{0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0}));
}

std::vector<size_t> counts_of(const Chunks& chunks, uint32_t total) {
    std::vector<size_t> counts(total);
    for (const uint32_t chunk : chunks) ++counts[chunk];
    std::sort(counts.begin(), counts.end(), std::greater<>());
    return counts;
}

TEST(GeneralPatterns, UniformFavoursNoneAndZipfSome) {
    const Settings of_100 = {{"chunks", 100}, {"uses", 100'000}};
    const FlatTrace uniform = made("uniform", of_100);
    EXPECT_EQ(uniform.chunks.size(), 100'000u);
    const auto even = counts_of(uniform.chunks, 100);
    EXPECT_NEAR(static_cast<double>(even.front()), 1000, 150);
    EXPECT_NEAR(static_cast<double>(even.back()), 1000, 150);
    const auto skewed = counts_of(made("zipf", of_100).chunks, 100);
    // 1 of 8.13, the sum of r^-0.8
    EXPECT_NEAR(static_cast<double>(skewed.front()), 12'300, 400);
    EXPECT_NEAR(static_cast<double>(skewed.back()), 309, 80);
}

// Goal: what is popular does not lie together, as it would in no program.
TEST(GeneralPatterns, PopularChunksLieAnywhere) {
    const FlatTrace zipf = made("zipf", {{"chunks", 1000}, {"alpha", 1.2}});
    std::vector<size_t> counts(1000);
    for (const uint32_t chunk : zipf.chunks) ++counts[chunk];
    const auto hottest =
        static_cast<size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    EXPECT_NE(hottest, 0u);
    EXPECT_LT(counts[(hottest + 1) % 1000], counts[hottest] / 4);
}

TEST(GeneralPatterns, ZipfScanReadsTheOtherChunksInOrder) {
    const FlatTrace trace =
        made("zipf-scan", {{"chunks", 10}, {"uses", 25}, {"scanned", 3}, {"every", 10}});
    ASSERT_EQ(trace.chunks.size(), 25u + 3 * 3);
    for (const size_t scan : {10u, 23u, 31u}) {
        EXPECT_EQ(Chunks(trace.chunks.begin() + static_cast<std::ptrdiff_t>(scan),
                         trace.chunks.begin() + static_cast<std::ptrdiff_t>(scan) + 3),
                  (Chunks{10, 11, 12}));
    }
}

TEST(GeneralPatterns, PhasesAreMarkedWhereTheyChange) {
    const FlatTrace trace = made("phases", {{"chunks", 10}, {"periods", 2}, {"uses", 7}});
    ASSERT_EQ(trace.phases.size(), 3u);
    EXPECT_EQ(trace.phases[0].first, 0u);
    EXPECT_EQ(trace.phases[1].first, 20u);
    EXPECT_EQ(trace.phases[2].first, 27u);
    EXPECT_EQ(trace.chunks.size(), 47u);
}

// Goal: recency is what there is to know. Method: the depths in the order of last use are those
// that were asked for, the newest most often.
TEST(GeneralPatterns, RecencyLoopUsesTheNewestMost) {
    const FlatTrace trace =
        made("recency-loop",
             {{"chunks", 50}, {"uses", 20'000}, {"alpha", 1}, {"looped", 7}, {"loops", 2}});
    ASSERT_EQ(trace.chunks.size(), 40'000u + 14);
    EXPECT_EQ(trace.phases[1].first, 20'000u);
    EXPECT_EQ(trace.phases[2].first, 20'014u);
    Chunks newest_first(50);
    for (uint32_t chunk = 0; chunk < 50; ++chunk) newest_first[chunk] = chunk;
    std::array<int, 50> depths{};
    for (size_t at = 0; at < 20'000; ++at) {
        const auto found = std::find(newest_first.begin(), newest_first.end(), trace.chunks[at]);
        ASSERT_NE(found, newest_first.end());
        ++depths[static_cast<size_t>(found - newest_first.begin())];
        std::rotate(newest_first.begin(), found, found + 1);
    }
    EXPECT_NEAR(depths[0], 20'000 / 4.5, 300);  // of the sum of 1 / r
    EXPECT_NEAR(depths[9], 20'000 / 45.0, 120);
}

}  // namespace
}  // namespace ciuic::trace::test
