// SPDX-License-Identifier: Apache-2.0
//
// Goal: what is used often stays, and a scan passes through. Method: orders by hand; random uses,
// after each of which the directory holds no more than it may and has said what left.
#include "policy/frequency_directory.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ciuic {
namespace {

class FrequencyDirectoryTest : public ::testing::Test {
protected:
    static constexpr uint32_t chunks = 2000;

    bool use(uint32_t chunk, uint32_t frames) {
        const DirectoryChange change = directory.used(ChunkIndex{chunk}, frames);
        EXPECT_EQ(change.is_hit(), held.contains(chunk));
        held.insert(chunk);
        for (const ChunkIndex gone : change.left()) EXPECT_EQ(held.erase(gone.value), 1u);
        return change.is_hit();
    }

    std::vector<FrequencyDirectory::Link> links{chunks};
    std::vector<FrequencyDirectory::Segment> segments{chunks};
    std::vector<uint64_t> sketch = std::vector<uint64_t>(150);
    FrequencyDirectory directory{links, segments, sketch};
    std::set<uint32_t> held;
};

TEST_F(FrequencyDirectoryTest, AScanPassesWhatIsUsedOften) {
    constexpr uint32_t frames = 100;
    for (int round = 0; round < 5; ++round)
        for (uint32_t chunk = 0; chunk < 50; ++chunk) use(chunk, frames);
    for (uint32_t chunk = 500; chunk < 1500; ++chunk) use(chunk, frames);
    uint32_t kept = 0;
    for (uint32_t chunk = 0; chunk < 50; ++chunk) kept += directory.holds(ChunkIndex{chunk});
    EXPECT_GE(kept, 49u);
}

TEST_F(FrequencyDirectoryTest, OldFameFades) {
    constexpr uint32_t frames = 100;
    for (int round = 0; round < 15; ++round)
        for (uint32_t chunk = 0; chunk < 100; ++chunk) use(chunk, frames);
    for (int round = 0; round < 40; ++round)
        for (uint32_t chunk = 1000; chunk < 1100; ++chunk) use(chunk, frames);
    uint32_t kept = 0;
    for (uint32_t chunk = 0; chunk < 100; ++chunk) kept += directory.holds(ChunkIndex{chunk});
    EXPECT_LE(kept, 20u);
}

TEST_F(FrequencyDirectoryTest, HoldsWhatItSaysAndNoMoreThanItMay) {
    Random random(3);
    uint32_t frames = 100;
    for (int number = 0; number < 50'000; ++number) {
        // Frames come back at once, and are given up one at a time.
        if (number % 500 == 0) frames = static_cast<uint32_t>(1 + random.below(150));
        use(static_cast<uint32_t>(random.below(1 + random.below(400))), frames);
        if (number % 500 == 499) {
            ASSERT_LE(held.size(), frames);
        }
    }
    for (uint32_t chunk = 0; chunk < chunks; ++chunk)
        ASSERT_EQ(directory.holds(ChunkIndex{chunk}), held.contains(chunk));
}

TEST(FrequencySketchTest, NeverCountsTooFew) {
    std::vector<uint64_t> words(64);
    FrequencySketch sketch(words);
    for (uint32_t chunk = 0; chunk < 10; ++chunk)
        for (uint32_t use = 0; use < chunk; ++use) sketch.used(ChunkIndex{chunk});
    for (uint32_t chunk = 0; chunk < 10; ++chunk)
        EXPECT_GE(sketch.estimate(ChunkIndex{chunk}), chunk);
    EXPECT_EQ(sketch.estimate(ChunkIndex{99}), 0u);
}

TEST(FrequencySketchTest, AllAreHalvedAtOnceThoughItTakesSeveralUses) {
    std::vector<uint64_t> words(64);
    FrequencySketch sketch(words);
    for (uint32_t chunk = 0; chunk < 40; ++chunk)
        for (uint32_t use = 0; use < 12; ++use) sketch.used(ChunkIndex{chunk});
    const auto most = [&sketch](uint32_t count) {
        uint32_t found = 0;
        for (uint32_t chunk = 0; chunk < 40; ++chunk)
            if (sketch.estimate(ChunkIndex{chunk}) <= count) ++found;
        return found;
    };
    EXPECT_EQ(most(11), 0u);
    for (uint32_t use = 480; use < 639; ++use) sketch.used(ChunkIndex{1000});
    EXPECT_EQ(most(11), 0u);
    sketch.used(ChunkIndex{1000});
    EXPECT_GE(most(7), 39u);
    for (uint32_t use = 0; use < 8; ++use) sketch.used(ChunkIndex{1000});
    EXPECT_GE(most(7), 39u);
    EXPECT_EQ(most(5), 0u) << "halved once, not twice";
}

TEST(FrequencySketchTest, CountsUpToItsMost) {
    std::vector<uint64_t> words(4);
    FrequencySketch sketch(words);
    for (int use = 0; use < 39; ++use) sketch.used(ChunkIndex{5});
    EXPECT_EQ(sketch.estimate(ChunkIndex{5}), FrequencySketch::estimate_max);
    EXPECT_LE(sketch.estimate(ChunkIndex{6}), FrequencySketch::estimate_max);
}

}  // namespace
}  // namespace ciuic
