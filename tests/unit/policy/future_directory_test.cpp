// SPDX-License-Identifier: Apache-2.0
//
// Goal: of an order that repeats, the directory holds what Belady's rule would; what does not come
// when its turn does goes before what always comes. Method: periodic orders beside a search of all
// that is held; hits are counted against the optimum.
#include "policy/future_directory.hpp"
#include "policy/recency_directory.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <set>
#include <vector>

namespace ciuic {
namespace {

class FutureDirectoryTest : public ::testing::Test {
protected:
    static constexpr uint32_t chunks = 600;

    bool use(uint32_t chunk, uint32_t frames) {
        const auto step = learner.used(ChunkIndex{chunk});
        log.append(ChunkIndex{chunk});
        const DirectoryChange change = directory.used(ChunkIndex{chunk}, step, frames);
        EXPECT_EQ(change.is_hit(), held.contains(chunk));
        held.insert(chunk);
        for (const ChunkIndex gone : change.left()) EXPECT_EQ(held.erase(gone.value), 1u);
        return change.is_hit();
    }

    std::vector<Use> uses = std::vector<Use>(3 * chunks);
    std::vector<uint32_t> last = std::vector<uint32_t>(chunks);
    UseLog log{uses, last};
    SequenceLearner learner{log};
    std::vector<FutureDirectory::Entry> heap{chunks + 1};
    std::vector<uint32_t> places = std::vector<uint32_t>(chunks);
    std::vector<uint8_t> doubts = std::vector<uint8_t>(chunks);
    std::vector<uint8_t> marks = std::vector<uint8_t>(chunks);
    FutureDirectory directory{log, learner, heap, places, doubts, marks};
    std::set<uint32_t> held;
};

TEST_F(FutureDirectoryTest, ACycleKeepsAllButOneFrame) {
    constexpr uint32_t frames = 300;
    uint32_t hits = 0;
    for (int period = 0; period < 6; ++period) {
        hits = 0;
        for (uint32_t chunk = 0; chunk < 400; ++chunk) hits += use(chunk, frames) ? 1 : 0;
    }
    EXPECT_GE(hits, 298u);  // the optimum: 299 of 400
}

TEST_F(FutureDirectoryTest, WhatComesHalfTheTimeGoesBeforeWhatAlwaysComes) {
    constexpr uint32_t frames = 300;
    Random random(1);
    uint32_t misses_of_regulars = 0;
    for (int period = 0; period < 40; ++period) {
        for (uint32_t chunk = 0; chunk < 400; ++chunk) {
            const bool is_regular = chunk % 2 == 0;
            if (!is_regular && random.chance(1, 2)) continue;
            const bool is_hit = use(chunk, frames);
            if (is_regular && !is_hit && period >= 20) ++misses_of_regulars;
        }
    }
    EXPECT_LE(misses_of_regulars, 20u * 200u / 50);
}

TEST_F(FutureDirectoryTest, HoldsWhatItSaysAndNoMoreThanItMay) {
    Random random(2);
    uint32_t frames = 100;
    for (int number = 0; number < 40'000; ++number) {
        if (number % 500 == 0) frames = static_cast<uint32_t>(1 + random.below(200));
        // Now and then an order, now and then none.
        const bool is_ordered = number / 3000 % 2 == 0;
        use(is_ordered ? static_cast<uint32_t>(number % 230)
                       : static_cast<uint32_t>(random.below(chunks)),
            frames);
        if (number % 500 == 499) {
            ASSERT_LE(held.size(), frames);
        }
    }
    for (uint32_t chunk = 0; chunk < chunks; ++chunk)
        ASSERT_EQ(directory.holds(ChunkIndex{chunk}), held.contains(chunk));
}

// Goal: bytes that are given up before their next use are not needed. Method: a cycle whose last
// tenth is renewed in each period; the same without a sign of it.
TEST_F(FutureDirectoryTest, WhatIsGivenUpBeforeItsNextUseGoesFirst) {
    constexpr uint32_t frames = 300;
    for (const bool renews : {false, true}) {
        uint32_t kept = 0;
        for (int period = 0; period < 6; ++period) {
            for (uint32_t chunk = 0; chunk < 400; ++chunk) {
                const ChunkIndex index{chunk};
                const bool fresh = renews && chunk % 10 == 9;
                const SequenceLearner::Step step = learner.used(index);
                log.append(index, fresh);
                directory.used(index, step, frames);
            }
            kept = 0;
            for (uint32_t chunk = 9; chunk < 400; chunk += 10)
                kept += directory.holds(ChunkIndex{chunk}) ? 1 : 0;
        }
        if (renews)
            EXPECT_LE(kept, 2u);
        else
            EXPECT_GE(kept, 20u);
    }
}

TEST_F(FutureDirectoryTest, WhatTakesLongToBringBackStays) {
    constexpr uint32_t frames = 300;
    for (uint32_t chunk = 0; chunk < 400; chunk += 2) marks[chunk] = FutureDirectory::costly_mark;
    uint32_t hits = 0;
    for (int period = 0; period < 6; ++period) {
        hits = 0;
        for (uint32_t chunk = 0; chunk < 400; ++chunk) {
            const bool hit = use(chunk, frames);
            if (chunk % 2 == 0) hits += hit ? 1 : 0;
        }
    }
    EXPECT_GE(hits, 198u);  // of 200
}

TEST_F(FutureDirectoryTest, RoomIsMadeForWhatIsUsedMuchSooner) {
    constexpr uint32_t frames = 300;
    for (int period = 0; period < 6; ++period)
        for (uint32_t chunk = 0; chunk < 400; ++chunk) use(chunk, frames);
    for (uint32_t chunk = 0; chunk < 100; ++chunk) use(chunk, frames);
    // Used in a moment, it is worth the place of what was used just now; that is not worth its own.
    const ChunkIndex soon{101};
    const ChunkIndex late{98};
    if (directory.holds(soon)) directory.drop(soon);
    if (directory.holds(late)) directory.drop(late);
    EXPECT_TRUE(directory.is_worth_room(soon, 0));
    EXPECT_FALSE(directory.is_worth_room(late, 0));
    EXPECT_FALSE(directory.is_worth_room(soon, directory.count()));
}

// The other directory that rests on the log: beside a plain list.
class RecencyDirectoryTest : public ::testing::Test {
protected:
    bool use(uint32_t chunk, uint32_t frames) {
        const bool was_held = directory.holds(ChunkIndex{chunk});
        log.append(ChunkIndex{chunk});
        const DirectoryChange change = directory.used(was_held, frames);
        for (const ChunkIndex gone : change.left()) left.insert(gone.value);
        left.erase(chunk);

        order.remove(chunk);
        order.push_front(chunk);
        return was_held;
    }
    void expect_the_first(size_t frames, uint32_t chunks) {
        std::set<uint32_t> expected;
        for (const uint32_t chunk : order)
            if (expected.size() < frames) expected.insert(chunk);
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
            ASSERT_EQ(directory.holds(ChunkIndex{chunk}), expected.contains(chunk)) << chunk;
            ASSERT_FALSE(expected.contains(chunk) && left.contains(chunk)) << chunk;
        }
    }

    std::vector<Use> uses = std::vector<Use>(200);
    std::vector<uint32_t> last = std::vector<uint32_t>(60);
    UseLog log{uses, last};
    RecencyDirectory directory{log};
    std::list<uint32_t> order;  // newest first
    std::set<uint32_t> left;
};

TEST_F(RecencyDirectoryTest, HoldsTheLastUsed) {
    Random random(3);
    for (int number = 0; number < 3000; ++number) {
        use(static_cast<uint32_t>(random.below(60)), 20);
        expect_the_first(20, 60);
    }
}

TEST_F(RecencyDirectoryTest, WhatTheLogForgetsIsNotHeld) {
    use(7, 20);
    for (int number = 0; number < 198; ++number) use(static_cast<uint32_t>(number % 3), 20);
    EXPECT_TRUE(directory.holds(ChunkIndex{7}));
    use(0, 20);
    EXPECT_FALSE(directory.holds(ChunkIndex{7}));
    EXPECT_TRUE(left.contains(7));
    expect_the_first(3, 60);
}

TEST_F(RecencyDirectoryTest, GivesUpFramesOneAtATime) {
    for (uint32_t chunk = 0; chunk < 40; ++chunk) use(chunk, 40);
    use(39, 10);
    expect_the_first(38, 60);
    for (int number = 0; number < 14; ++number) use(39, 10);
    expect_the_first(10, 60);
}

}  // namespace
}  // namespace ciuic
