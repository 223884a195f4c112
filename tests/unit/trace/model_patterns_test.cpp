// SPDX-License-Identifier: Apache-2.0
#include "trace/model_patterns.hpp"

#include "tests/unit/trace/flat_trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace ciuic::trace::test {
namespace {

using Chunks = std::vector<uint32_t>;

TEST(ModelPatterns, TrainingGoesForwardBackwardAndOverTheState) {
    const FlatTrace trace =
        made("training",
             {{"layers", 2}, {"weights", 1}, {"activations", 1}, {"moments", 2}, {"steps", 1}});
    // weights 0 1, activations 2 3, gradients 4 5, moments 6 7 of one layer and 8 9 of the other
    EXPECT_EQ(trace.chunks, (Chunks{0, 2, 1, 3,        //
                                    3, 1, 5, 2, 0, 4,  //
                                    4, 6, 7, 0, 5, 8, 9, 1}));
    EXPECT_EQ(trace.writes, 2u + 2 + 6);
    ASSERT_EQ(trace.phases.size(), 3u);
    EXPECT_EQ(trace.phases[1].first, 4u);
    EXPECT_EQ(trace.phases[2].first, 10u);
}

TEST(ModelPatterns, TrainingWithNoiseIsTrainingAndOneInTwenty) {
    const FlatTrace clean = made("training", {});
    const FlatTrace noisy = made("training-noise", {});
    const auto share = static_cast<double>(noisy.chunks.size() - clean.chunks.size()) /
                       static_cast<double>(noisy.chunks.size());
    EXPECT_NEAR(share, 0.05, 0.005);
}

TEST(ModelPatterns, DecodeReadsAllWeightsAndItsKeysGrow) {
    const FlatTrace trace = made("decode", {{"layers", 2},
                                            {"weights", 2},
                                            {"tokens", 3},
                                            {"prompt", 1},
                                            {"kv-every", 2},
                                            {"sampled", 1}});
    // weights 0..3, keys and values 4..6 and 7..9
    EXPECT_EQ(trace.chunks, (Chunks{0, 1, 4, 2, 3, 7,        //
                                    0, 1, 4, 5, 2, 3, 7, 8,  //
                                    0, 1, 4, 5, 2, 3, 7, 8}));
    EXPECT_EQ(trace.writes, 6u);
}

TEST(ModelPatterns, DecodeLooksAtTheShareThatIsAskedFor) {
    const Settings settings = {
        {"layers", 1}, {"weights", 1}, {"tokens", 1000}, {"prompt", 10'000}, {"kv-every", 100}};
    Settings none = settings;
    none.emplace_back("sampled", 0);
    Settings some = settings;
    some.emplace_back("sampled", 0.3);
    const size_t at_least = made("decode", none).chunks.size();
    EXPECT_EQ(at_least, 2000u);
    const auto looked_at = static_cast<double>(made("decode", some).chunks.size() - at_least);
    EXPECT_NEAR(looked_at / (1000 * 104.5), 0.3, 0.01);
}

TEST(ModelPatterns, MoeUsesDifferentExpertsSomeMoreThanOthers) {
    const FlatTrace trace = made("moe", {{"layers", 2},
                                         {"dense", 1},
                                         {"experts", 8},
                                         {"expert-chunks", 1},
                                         {"active", 3},
                                         {"alpha", 1},
                                         {"tokens", 2000}});
    ASSERT_EQ(trace.chunks.size(), 2000u * 2 * 4);
    std::map<uint32_t, int> counts;
    for (size_t at = 0; at < trace.chunks.size(); at += 4) {
        const uint32_t layer = at / 4 % 2;
        EXPECT_EQ(trace.chunks[at], layer);
        const std::set<uint32_t> experts(&trace.chunks[at] + 1, &trace.chunks[at] + 4);
        EXPECT_EQ(experts.size(), 3u);
        for (const uint32_t expert : experts) {
            EXPECT_EQ((expert - 2) / 8, layer);
            ++counts[expert];
        }
    }
    EXPECT_EQ(counts.size(), 16u);
    const auto [least, most] =
        std::minmax_element(counts.begin(), counts.end(), [](const auto& one, const auto& other) {
            return one.second < other.second;
        });
    EXPECT_GT(most->second, 3 * least->second);
}

// Goal: an impossible choice ends. Method: all experts active, the last of them nearly never drawn.
TEST(ModelPatterns, MoeEndsWhereAllExpertsAreActive) {
    const FlatTrace trace = made("moe", {{"experts", 50},
                                         {"active", 50},
                                         {"alpha", 4},
                                         {"layers", 1},
                                         {"dense", 1},
                                         {"expert-chunks", 1},
                                         {"tokens", 3}});
    EXPECT_EQ(trace.chunks.size(), 3u * 51);
}

TEST(ModelPatterns, DiffusionGoesDownAndUpWithSkips) {
    const FlatTrace trace = made("diffusion", {{"images", 2},
                                               {"steps", 2},
                                               {"text", 1},
                                               {"levels", 2},
                                               {"down", 1},
                                               {"middle", 1},
                                               {"up", 1},
                                               {"skip", 1},
                                               {"vae", 1}});
    // text 0, down 1 2, middle 3, up 4 5, skips 6 7, decoder 8
    const Chunks image = {0, 1, 6, 2, 7, 3, 7, 5, 6, 4, 1, 6, 2, 7, 3, 7, 5, 6, 4, 8};
    Chunks both = image;
    both.insert(both.end(), image.begin(), image.end());
    EXPECT_EQ(trace.chunks, both);
    EXPECT_EQ(trace.writes, 8u);
}

TEST(ModelPatterns, ServingVisitsOneModelAtATimeAndIdles) {
    const FlatTrace trace = made("serving", {{"models", 4},
                                             {"chunks", 5},
                                             {"visits", 100},
                                             {"passes", 3},
                                             {"gap-us", 0},
                                             {"idle-ms", 10}});
    ASSERT_EQ(trace.phases.size(), 100u);
    for (size_t visit = 0; visit < 100; ++visit) {
        const size_t from = trace.phases[visit].first;
        const size_t to = visit < 99 ? trace.phases[visit + 1].first : trace.chunks.size();
        ASSERT_TRUE((to - from) % 5 == 0 && to - from >= 5 && to - from <= 15) << visit;
        for (size_t at = from; at < to; ++at) {
            ASSERT_EQ(trace.chunks[at] / 5, trace.chunks[from] / 5);
            ASSERT_EQ(trace.chunks[at] % 5, (at - from) % 5);
        }
    }
    EXPECT_NEAR(static_cast<double>(trace.time_ns), 100 * 10e6, 200e6);
}

}  // namespace
}  // namespace ciuic::trace::test
