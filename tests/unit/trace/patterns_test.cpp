// SPDX-License-Identifier: Apache-2.0
#include "trace/patterns.hpp"

#include "limits.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/trace/flat_trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace ciuic::trace::test {
namespace {

// Goal: a trace can be made again. Method: every pattern twice with one seed, and once with
// another, which differs where there is anything to draw.
TEST(TracePatterns, ASeedRepeatsATrace) {
    for (const Pattern& pattern : patterns()) {
        SCOPED_TRACE(pattern.name);
        const FlatTrace once = made(pattern.name, {});
        EXPECT_FALSE(once.chunks.empty());
        EXPECT_EQ(once.chunks, made(pattern.name, {}).chunks);
        const bool draws = made(pattern.name, {{"noise", 0.1}}).chunks !=
                           made(pattern.name, {{"noise", 0.1}}, 2).chunks;
        EXPECT_TRUE(draws);
    }
}

// Goal: as they are usually made, all chunks are used, and more than once: a replay takes seconds
// and means something.
TEST(TracePatterns, UsualTracesAreOfUseAsTheyAre) {
    for (const Pattern& pattern : patterns()) {
        SCOPED_TRACE(pattern.name);
        const FlatTrace trace = made(pattern.name, {});
        const std::set<uint32_t> distinct(trace.chunks.begin(), trace.chunks.end());
        EXPECT_GT(distinct.size(), trace.total() * 95 / 100);
        EXPECT_GT(trace.chunks.size(), 5 * distinct.size());
        EXPECT_LT(trace.chunks.size(), 200'000u);
    }
}

// Goal: no value of a parameter leads outside a region. Method: values drawn from the lower end of
// each parameter's bounds; the sink checks every use.
TEST(TracePatterns, NoValueLeadsOutsideARegion) {
    const uint64_t seed = ciuic::test::random_seed();
    SCOPED_TRACE(ciuic::test::seed_text(seed));
    Random random(seed);
    for (const Pattern& pattern : patterns()) {
        for (int round = 0; round < 50; ++round) {
            Values values(pattern);
            for (const Parameter& parameter : pattern.parameters) {
                const double most = std::min(parameter.most, parameter.least + 12);
                const double share = static_cast<double>(random.below(1001)) / 1000;
                double value = parameter.least + share * (most - parameter.least);
                if (parameter.is_whole) value = std::floor(value);
                ASSERT_TRUE(values.set(parameter.name, value).has_value()) << parameter.name;
            }
            if (round % 2 == 1) {
                ASSERT_TRUE(values.set("noise", 0.3).has_value());
            }
            FlatTrace trace;
            make_pattern(values, random.next(), trace);
            if (testing::Test::HasFatalFailure()) FAIL() << pattern.name;
        }
    }
}

TEST(TracePatterns, NoiseHasItsShare) {
    const FlatTrace clean = made("cyclic", {});
    const FlatTrace noisy = made("cyclic", {{"noise", 0.2}});
    const auto share = static_cast<double>(noisy.chunks.size() - clean.chunks.size()) /
                       static_cast<double>(noisy.chunks.size());
    EXPECT_NEAR(share, 0.2, 0.01);
}

TEST(TracePatterns, TimeGoesOnByTheGap) {
    EXPECT_EQ(made("zigzag", {{"chunks", 5}, {"periods", 1}, {"gap-us", 0.5}}).time_ns, 4500u);
}

// A sink that only counts.
class Counter final : public Sink {
public:
    uint64_t uses = 0;
    uint32_t region(std::string_view, uint32_t) override { return 0; }
    void phase(std::string_view) override {}
    void use(const Use& use) override { uses += use.count; }
};

// Goal: a trace that is asked for too long ends, and one use too many tells the writer so.
TEST(TracePatterns, EndBehindTheMostUsesOfATrace) {
    Values values(*find_pattern("cyclic"));
    ASSERT_TRUE(values.set("chunks", 1 << 24).has_value());
    ASSERT_TRUE(values.set("periods", 1e8).has_value());
    Counter counter;
    make_pattern(values, 1, counter);
    EXPECT_GT(counter.uses, uint64_t{limits::trace_uses_max});
    EXPECT_LE(counter.uses, uint64_t{limits::trace_uses_max} + (1 << 24));
}

TEST(TracePatterns, ValuesAreChecked) {
    Values values(*find_pattern("zipf"));
    EXPECT_EQ(values.set("chunks", 0).error().code, Errc::range);
    EXPECT_EQ(values.set("chunks", 1e12).error().code, Errc::range);
    EXPECT_EQ(values.set("chunks", std::nan("")).error().code, Errc::range);
    EXPECT_EQ(values.set("chunks", 1.5).error().code, Errc::invalid);
    EXPECT_EQ(values.set("layers", 1).error().code, Errc::invalid);
    EXPECT_TRUE(values.set("alpha", 1.5).has_value());
    EXPECT_EQ(values["alpha"], 1.5);
    EXPECT_EQ(values.whole("chunks"), 1000u);
    EXPECT_EQ(find_pattern("no such"), nullptr);
}

TEST(TracePatterns, ZipfDrawsByRank) {
    Random random(1);
    const Zipf zipf(4, 1.0);
    std::array<int, 4> drawn{};
    for (int draw = 0; draw < 25'000; ++draw) ++drawn[zipf.draw(random)];
    // 12 : 6 : 4 : 3 of 25
    EXPECT_NEAR(drawn[0], 12'000, 400);
    EXPECT_NEAR(drawn[1], 6000, 300);
    EXPECT_NEAR(drawn[2], 4000, 300);
    EXPECT_NEAR(drawn[3], 3000, 300);
}

}  // namespace
}  // namespace ciuic::trace::test
