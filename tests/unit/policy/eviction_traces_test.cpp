// SPDX-License-Identifier: Apache-2.0
//
// Goal: the trial finds the rule that suits a program, and costs little where recency does. Method:
// whole programs as traces of chunks through the rules as the engine puts them together, beside
// each rule alone and beside Belady's optimum, which knows the future.
#include "policy/arrival_order.hpp"
#include "policy/clock_eviction.hpp"
#include "policy/eviction_trial.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace ciuic {
namespace {

using Trace = std::vector<uint32_t>;

constexpr uint32_t frames_count = 88;
constexpr uint32_t spared = 8;
constexpr uint32_t set_chunks = 192;
constexpr uint32_t passes = 12;

enum class Chooser : uint8_t { recency, keep_old, trial };

// One session over `frames_count` frames. No frame is kept free: a victim leaves at each miss.
class Cache {
public:
    explicit Cache(Chooser chooser) : chooser_(chooser) {}

    // Whether the chunk was there.
    bool touch(uint32_t chunk) {
        if (frame_of_.size() <= chunk) frame_of_.resize(chunk + 1, none_index);
        if (frame_of_[chunk] != none_index) return true;
        trial_.came_back(ChunkIndex{chunk});
        if (table_.free() == 0) evict();
        const FrameIndex frame = table_.take({SessionIndex{0}, ChunkIndex{chunk}});
        table_.set_movable(frame, true);
        clock_.entered(frame, Entry::demand);
        order_.arrived(list_, frame);
        frame_of_[chunk] = frame.value;
        return false;
    }
    uint32_t evictions() const { return evictions_; }
    EvictionRule ruling() const { return trial_.ruling(); }

private:
    void evict() {
        EvictionRule rule = trial_.next();
        if (chooser_ != Chooser::trial)
            rule = chooser_ == Chooser::recency ? EvictionRule::recency : EvictionRule::keep_old;
        FrameIndex victim;
        ASSERT_EQ(clock_.choose(table_.facts(), {frames_count}, {&victim, 1}), 1u);
        if (rule == EvictionRule::keep_old) {
            const auto newest = order_.newest_beyond(list_, spared, table_.facts());
            ASSERT_TRUE(newest);
            clock_.stays_for(victim, *newest);
            victim = *newest;
        }
        const ChunkIndex chunk = table_[victim].owner.chunk;
        order_.left(list_, victim);
        table_.give_back(victim);
        frame_of_[chunk.value] = none_index;
        trial_.left(rule, chunk, frames_count);
        ++evictions_;
    }

    Chooser chooser_;
    std::vector<Frame> frames_ = std::vector<Frame>(frames_count);
    std::vector<FrameHeat> heat_ = std::vector<FrameHeat>(frames_count);
    std::vector<ArrivalLink> links_ = std::vector<ArrivalLink>(frames_count);
    FrameTable table_{frames_};
    ClockEviction clock_{heat_};
    ArrivalOrder order_{links_};
    ArrivalList list_;
    EvictionTrial trial_;
    std::vector<uint32_t> frame_of_;
    uint32_t evictions_ = 0;
};

// Of the accesses from `from` on, the part that found their chunk.
double hits(Chooser chooser, const Trace& trace, size_t from) {
    Cache cache(chooser);
    size_t found = 0;
    for (size_t at = 0; at < trace.size(); ++at)
        if (cache.touch(trace[at]) && at >= from) ++found;
    return static_cast<double>(found) / static_cast<double>(trace.size() - from);
}

double best_hits(const Trace& trace, size_t from) {
    const size_t never = trace.size();
    const uint32_t chunks = 1 + *std::max_element(trace.begin(), trace.end());
    std::vector<size_t> next(trace.size());
    std::vector<size_t> later(chunks, never);
    for (size_t at = trace.size(); at-- > 0;) {
        next[at] = later[trace[at]];
        later[trace[at]] = at;
    }
    std::set<std::pair<size_t, uint32_t>> here;  // by when they are wanted next
    size_t found = 0;
    for (size_t at = 0; at < trace.size(); ++at) {
        // What is here and wanted at all is wanted now or later.
        if (here.erase({at, trace[at]}) > 0)
            found += at >= from;
        else if (here.size() == frames_count)
            here.erase(std::prev(here.end()));
        here.emplace(next[at], trace[at]);
    }
    return static_cast<double>(found) / static_cast<double>(trace.size() - from);
}

Trace cycles(uint32_t count) {
    Trace trace;
    for (; count > 0; --count)
        for (uint32_t chunk = 0; chunk < set_chunks; ++chunk) trace.push_back(chunk);
    return trace;
}

// Every chunk once per pass; the first in order, each other one in an order of its own.
Trace shuffled_passes(uint64_t seed) {
    Random random(seed);
    Trace order = cycles(1);
    Trace trace = order;
    for (uint32_t pass = 1; pass < passes; ++pass) {
        for (uint32_t left = set_chunks; left > 1; --left)
            std::swap(order[left - 1], order[random.below(left)]);
        trace.insert(trace.end(), order.begin(), order.end());
    }
    return trace;
}

// The third pass is the first that benchmarks/table measures.
constexpr size_t third_pass = size_t{2} * set_chunks;
constexpr size_t late = size_t{set_chunks} * passes / 2;

TEST(EvictionTraces, ACycleKeepsWhatTheFramesHold) {
    const Trace trace = cycles(passes);
    EXPECT_EQ(hits(Chooser::recency, trace, third_pass), 0);
    EXPECT_GT(hits(Chooser::trial, trace, third_pass), 0.85 * best_hits(trace, third_pass));
}

TEST(EvictionTraces, PassesInRandomOrderKeepWhatTheFramesHold) {
    constexpr uint64_t seeds = 20;
    double by_trial = 0;
    double in_third = 0;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE(seed);
        const Trace trace = shuffled_passes(seed);
        const double best = best_hits(trace, late);
        EXPECT_LT(hits(Chooser::recency, trace, late), 0.45 * best);
        const double found = hits(Chooser::trial, trace, late);
        EXPECT_GT(found, 0.7 * best);
        by_trial += found / best / seeds;
        const Trace three(trace.begin(), trace.begin() + third_pass + set_chunks);
        in_third += hits(Chooser::trial, three, third_pass) / best / seeds;
    }
    EXPECT_GT(by_trial, 0.8);
    EXPECT_GT(in_third, 0.7);
}

// Eight in ten touches go to a set that moves on slowly.
TEST(EvictionTraces, AWorkingSetThatMovesOnIsLeftToRecency) {
    Random random(1);
    Trace trace;
    for (uint32_t step = 0; step < 20'000; ++step)
        trace.push_back(step / 8 + static_cast<uint32_t>(random.below(frames_count * 2 / 3)));
    const double recency = hits(Chooser::recency, trace, late);
    EXPECT_LT(hits(Chooser::keep_old, trace, late), 0.8 * recency);
    EXPECT_GT(hits(Chooser::trial, trace, late), 0.97 * recency);
}

// A merge of many runs: each of 24 chunks is in use for a while, then never again.
TEST(EvictionTraces, AMergeIsLeftToRecency) {
    constexpr uint32_t runs = 24;
    Random random(1);
    std::array<uint32_t, runs> read{};
    Trace trace;
    for (uint32_t step = 0; step < 40'000; ++step) {
        const auto run = static_cast<uint32_t>(random.below(runs));
        trace.push_back(run * 1000 + read[run]++ / 16);
    }
    const double recency = hits(Chooser::recency, trace, late);
    EXPECT_LT(hits(Chooser::keep_old, trace, late), 0.8 * recency);
    EXPECT_GT(hits(Chooser::trial, trace, late), 0.985 * recency);
}

// Where both rules are as good, none must cost more than the noise.
TEST(EvictionTraces, UniformAndSkewedTouchesLoseNothing) {
    for (const double skew : {0.0, 0.9}) {
        SCOPED_TRACE(skew);
        std::vector<double> up_to;
        for (uint32_t rank = 1; rank <= set_chunks; ++rank)
            up_to.push_back((up_to.empty() ? 0 : up_to.back()) + std::pow(rank, -skew));
        Random random(1);
        Trace trace;
        for (uint32_t step = 0; step < 40'000; ++step) {
            const double drawn = static_cast<double>(random.below(1u << 30)) / (1u << 30);
            trace.push_back(static_cast<uint32_t>(
                std::lower_bound(up_to.begin(), up_to.end(), drawn * up_to.back()) -
                up_to.begin()));
        }
        EXPECT_GT(hits(Chooser::trial, trace, late), 0.97 * hits(Chooser::recency, trace, late));
    }
}

// What was kept is never used again: a set that would fit has to have the frames.
TEST(EvictionTraces, WhatIsKeptAndDeadGivesWayWithinAFewTurnovers) {
    Cache cache(Chooser::trial);
    for (const uint32_t chunk : cycles(passes)) cache.touch(chunk);
    ASSERT_EQ(cache.ruling(), EvictionRule::keep_old);
    Random random(1);
    const auto next = [&] { return set_chunks + static_cast<uint32_t>(random.below(66)); };
    const uint32_t before = cache.evictions();
    for (uint32_t step = 0; cache.ruling() != EvictionRule::recency; ++step) {
        ASSERT_LT(step, 100'000u);
        cache.touch(next());
    }
    EXPECT_LT(cache.evictions() - before, 3 * frames_count);
    for (int step = 0; step < 1000; ++step) cache.touch(next());
    uint32_t missed = 0;
    for (int step = 0; step < 1000; ++step) missed += !cache.touch(next());
    EXPECT_EQ(missed, 0u);
}

}  // namespace
}  // namespace ciuic
