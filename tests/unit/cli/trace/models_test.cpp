// SPDX-License-Identifier: Apache-2.0
//
// Goal: each model is the policy whose name it has. Method: the simplest against twins that look
// through everything; the others against sequences that were worked out by hand from the paper.
#include "cli/trace/models/arc.hpp"
#include "cli/trace/models/belady.hpp"
#include "cli/trace/models/clock.hpp"
#include "cli/trace/models/frequency_sketch.hpp"
#include "cli/trace/models/lirs.hpp"
#include "cli/trace/models/lru.hpp"
#include "cli/trace/models/s3_fifo.hpp"
#include "cli/trace/models/sieve.hpp"
#include "cli/trace/models/two_q.hpp"
#include "cli/trace/models/w_tinylfu.hpp"

#include "base/random.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/cli/trace/naive_caches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace ciuic::models {
namespace {

std::vector<uint32_t> random_uses(Random& random, size_t count) {
    std::vector<uint32_t> uses;
    const uint64_t chunks = 1 + random.below(30);
    while (uses.size() < count) {
        if (random.chance(1, 20)) {  // a piece of a scan
            const uint64_t from = random.below(chunks);
            for (uint64_t at = from; at < chunks; ++at) uses.push_back(static_cast<uint32_t>(at));
        }
        uses.push_back(static_cast<uint32_t>(random.below(1 + random.below(chunks))));
    }
    return uses;
}

template <typename Naive> void expect_like(const char* name) {
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    Random random(seed);
    for (int round = 0; round < 300; ++round) {
        const std::vector<uint32_t> uses = random_uses(random, 200);
        const auto capacity = static_cast<uint32_t>(1 + random.below(20));
        const auto model = find_model(name)->make(capacity, uses);
        Naive naive(capacity, uses);
        for (size_t at = 0; at < uses.size(); ++at)
            ASSERT_EQ(model->use(uses[at]), naive.use(uses[at])) << "use " << at;
    }
}

TEST(CacheModels, LruIsLikeItsTwin) { expect_like<NaiveLru>("lru"); }
TEST(CacheModels, ClockIsLikeItsTwin) { expect_like<NaiveClock>("clock"); }

// Which of the chunks that are never used again goes does not matter; how many hits there are does.
TEST(CacheModels, BeladyHitsAsOftenAsItsTwin) {
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    Random random(seed);
    for (int round = 0; round < 300; ++round) {
        const std::vector<uint32_t> uses = random_uses(random, 200);
        const auto capacity = static_cast<uint32_t>(1 + random.below(20));
        Belady model(capacity, uses);
        NaiveBelady naive(capacity, uses);
        for (size_t at = 0; at < uses.size(); ++at)
            ASSERT_EQ(model.use(uses[at]), naive.use(uses[at])) << "use " << at;
    }
}

// Goal: no model holds more than its memory. Method: at any capacity none does better than the
// optimum, which one that cheats does now and then; and with room for all, none loses anything.
TEST(CacheModels, NoneBeatsTheOptimumAtAnyCapacity) {
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    Random random(seed);
    for (int round = 0; round < 200; ++round) {
        const std::vector<uint32_t> uses = random_uses(random, 400);
        const auto capacity = static_cast<uint32_t>(1 + random.below(35));
        const std::set<uint32_t> distinct(uses.begin(), uses.end());
        Belady oracle(capacity, uses);
        size_t most = 0;
        for (const uint32_t chunk : uses) most += oracle.use(chunk);
        for (const NamedModel& model : all_models()) {
            SCOPED_TRACE(std::string(model.name) + ", " + std::to_string(capacity));
            const auto cache = model.make(capacity, uses);
            size_t hits = 0;
            for (const uint32_t chunk : uses) hits += cache->use(chunk);
            ASSERT_LE(hits, most);
            if (capacity >= distinct.size()) {
                ASSERT_EQ(hits, uses.size() - distinct.size());
            }
        }
    }
}

// 'h' for each hit, '.' for each miss.
template <typename Model>
std::string outcome(uint32_t capacity, const std::vector<uint32_t>& uses) {
    Model model(capacity);
    std::string text;
    for (const uint32_t chunk : uses) text += model.use(chunk) ? 'h' : '.';
    return text;
}

// What is in brackets is a queue, the front first; * was used.
TEST(CacheModels, SieveKeepsWhatItSparesInItsPlace) {
    // [3 2 1*]; 4 spares 1, takes 2, the hand at 3; 5 takes 3, the hand at 4; [5 4* 1*]; 2 spares
    // 4 and takes 5; 5 begins at the back, spares 1, takes 4. CLOCK would have taken 1.
    EXPECT_EQ(outcome<Sieve>(3, {1, 2, 3, 1, 4, 5, 1, 4, 2, 5, 1}), "...h..hh..h");
    EXPECT_EQ(outcome<Clock>(3, {1, 2, 3, 1, 4, 5, 1, 4, 2, 5, 1}), "...h..hh...");
}

TEST(CacheModels, TwoQKeepsWhatComesBackWhileItIsRemembered) {
    // Four chunks: one is the FIFO's share, two are remembered.
    // 5 takes 1; a hit in the FIFO moves nothing, so 6 takes 2; remembered [2 1].
    // 1 comes into main, takes 3; 2 likewise, takes 4; FIFO [6 5], main [2 1], remembered [4 3].
    // 3 comes into main, takes 5; 7 finds one chunk in the FIFO and takes main's oldest, 2, which
    // is not remembered. So 2 comes into the FIFO once more, and takes 6.
    EXPECT_EQ(outcome<TwoQ>(4, {1, 2, 3, 4, 5, 2, 6, 1, 2, 1, 3, 7, 1, 2, 3}), ".....h...h..h.h");
}

TEST(CacheModels, ArcMovesItsTargetByWhatComesBack) {
    // Two chunks. 1 is used twice: T1 [2] T2 [1]. 3: 2 to B1. 2 is in B1: p is 1, 1 to B2, T2 [2].
    // 3 hits: T2 [3 2]. 1 is in B2: p is 0, 2 to B2; T2 [1 3]. 4: 3 to B2 [3 2]; T1 [4] T2 [1].
    // 5: all four numbers are in use, 2 is forgotten; 4 to B1. 6: 4 is forgotten, 5 to B1.
    // 4 is new, 5 is forgotten, 6 to B1. 3 is in B2: 4 to B1; T2 [3 1].
    EXPECT_EQ(outcome<Arc>(2, {1, 2, 1, 3, 2, 3, 1, 4, 1, 5, 6, 4, 3, 1, 3}), "..h..h..h....hh");
}

TEST(CacheModels, S3FifoMovesOnWhatIsUsedTwiceOrComesBack) {
    // Five chunks: one is the small queue's share, four numbers are remembered.
    // [5 4 3 2 1], 2 used twice, 3 once. 6 takes 1; 7 moves 2 to main, takes 3. Remembered [3 1].
    // 3 comes into main, takes 4; 1 likewise, takes 5; small [7 6], main [1 3 2*].
    // 4 comes into main, takes 6; 5 takes 7, since main has no more than its four: main
    // [5 4 1 3 2*], small []. 8: main has five: 2 goes round, 3 goes, and is not remembered.
    // So 3 is new, and takes 8; main [2 5 4 1]. 8 comes into main, takes 3.
    EXPECT_EQ(outcome<S3Fifo>(5, {1, 2, 3, 4, 5, 2, 2, 3, 6, 7, 3, 1, 2, 4, 5, 8, 3, 2, 8, 1}),
              ".....hhh....h....h.h");
}

TEST(CacheModels, LirsKeepsWhatIsUsedAgainSoonest) {
    // Three chunks, two of them LIR: 1 and 2; 3 passes through Q, 4 takes it; S [4 3 2 1].
    // 1 hits: S [1 4 3 2]. 3 is in S: it takes 4, becomes LIR; 2 becomes HIR; S [3 1] Q [2].
    // 2 hits, stays HIR: S [2 3 1]. 4 was forgotten: takes 2; S [4 2 3 1]. 2 is in S: takes 4,
    // becomes LIR, 1 becomes HIR; S [2 4 3] Q [1]. 1 hits, and once more, now in S: becomes LIR,
    // 3 becomes HIR; S [1 2] Q [3]. 3 hits; 2 hits; 5 takes 3; 3 takes 5.
    EXPECT_EQ(outcome<Lirs>(3, {1, 2, 3, 4, 1, 3, 2, 4, 2, 1, 1, 3, 2, 5, 3}), "....h.h..hhhh..");
}

// Three chunks: the stack has six entries, two LIR, one in Q, the last three that left.
TEST(CacheModels, LirsForgetsWhatLeftFirst) {
    std::vector<uint32_t> uses;
    for (uint32_t chunk = 1; chunk <= 20; ++chunk) uses.push_back(chunk);
    std::vector<uint32_t> remembered = uses;
    std::vector<uint32_t> forgotten = uses;
    for (const uint32_t chunk : {17, 30, 31, 17}) remembered.push_back(chunk);
    for (const uint32_t chunk : {16, 30, 31, 16}) forgotten.push_back(chunk);
    EXPECT_EQ(outcome<Lirs>(3, remembered), std::string(23, '.') + "h");
    EXPECT_EQ(outcome<Lirs>(3, forgotten), std::string(24, '.'));
}

TEST(CacheModels, WTinyLfuLetsInWhatIsUsedMoreOften) {
    // Five chunks: window 1, main 4, of which 3 are protected. Probation [4 3 2 1], window [5].
    // 6: 5 was used no more often than 1 and goes. 1 is protected. 5 comes, 6 goes; 7: 5 was used
    // twice, 2 once: 2 goes, probation [5 4 3]. 2 comes, 7 goes. 5, 3 and 4 are protected in turn,
    // which brings 1 back to probation. 8: 2 was used no more often than 1 and goes.
    EXPECT_EQ(outcome<WTinyLfu>(5, {1, 2, 3, 4, 5, 6, 1, 5, 7, 2, 5, 3, 4, 8, 1, 2}),
              "......h...hhh.h.");
}

TEST(FrequencySketch, CountsFadesAndStopsAtFifteen) {
    FrequencySketch sketch(100);  // halved after a thousand
    for (uint32_t use = 0; use < 40; ++use) sketch.add(7);
    for (uint32_t use = 0; use < 6; ++use) sketch.add(8);
    EXPECT_EQ(sketch.count(7), 15u);
    EXPECT_EQ(sketch.count(8), 6u);
    EXPECT_EQ(sketch.count(9), 0u);
    for (uint32_t use = 46; use < 999; ++use) sketch.add(10);
    EXPECT_EQ(sketch.count(8), 6u);
    sketch.add(10);
    EXPECT_EQ(sketch.count(8), 3u);
    EXPECT_EQ(sketch.count(7), 7u);
}

}  // namespace
}  // namespace ciuic::models
