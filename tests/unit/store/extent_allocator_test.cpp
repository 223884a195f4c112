// SPDX-License-Identifier: Apache-2.0
#include "store/extent_allocator.hpp"

#include "base/random.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t granule = limits::granule_bytes;

// The same promises, said with one bool per granule.
class Model {
public:
    explicit Model(uint64_t granules) : used_(granules, false) {}

    bool is_free(uint64_t first, uint64_t count) const {
        const auto begin = used_.begin() + static_cast<ptrdiff_t>(first);
        return first + count <= used_.size() &&
               std::none_of(begin, begin + static_cast<ptrdiff_t>(count),
                            [](bool used) { return used; });
    }
    bool has_room(uint64_t count, uint64_t alignment) const {
        for (uint64_t first = 0; first + count <= used_.size(); first += alignment)
            if (is_free(first, count)) return true;
        return false;
    }
    void mark(Extent extent, bool used) {
        for (uint64_t index = 0; index < extent.granules; ++index)
            used_[extent.first_granule + index] = used;
    }
    uint64_t free_bytes() const {
        return static_cast<uint64_t>(std::count(used_.begin(), used_.end(), false)) * granule;
    }

private:
    std::vector<bool> used_;
};

// Goal: extents never overlap, are aligned and inside the file, and a run is found whenever there
// is one. Method: random allocations and releases of all sizes and alignments, in files whose ends
// fall at and off a word of the bitmap, against the model after every step.
TEST(ExtentAllocator, AgreesWithAModelOverRandomSteps) {
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Random random(seed);
    for (const uint64_t granules : {1u, 63u, 64u, 65u, 300u, 1024u}) {
        ExtentAllocator allocator(granules * granule);
        Model model(granules);
        std::vector<Extent> live;
        for (int step = 0; step < 3000; ++step) {
            // Phases of mostly taking and mostly giving back, so that full and empty both occur.
            const bool take = random.chance(step / 300 % 2 == 0 ? 3 : 1, 4);
            if (take) {
                const auto count = static_cast<uint32_t>(
                    random.chance(1, 8) ? 1 + random.below(granules) : 1 + random.below(20));
                const uint32_t alignment = 1u << random.below(8);
                const auto extent = allocator.allocate(count, alignment);
                ASSERT_EQ(extent.has_value(), model.has_room(count, alignment))
                    << granules << " step " << step << ": " << count << " at " << alignment;
                if (!extent.has_value()) {
                    ASSERT_EQ(extent.error().code, Errc::no_memory);
                    continue;
                }
                ASSERT_EQ(extent->granules, count);
                ASSERT_EQ(extent->first_granule % alignment, 0u);
                ASSERT_TRUE(model.is_free(extent->first_granule, count));
                model.mark(*extent, true);
                live.push_back(*extent);
            } else if (!live.empty()) {
                std::swap(live[random.below(live.size())], live.back());
                allocator.release(live.back());
                model.mark(live.back(), false);
                live.pop_back();
            }
            ASSERT_EQ(allocator.free_bytes(), model.free_bytes());
        }
    }
}

// Goal: a store of equal chunks holds exactly as many as fit, always. Method: fill it, free every
// other one, fill it again: nothing may be left over that cannot be used.
TEST(ExtentAllocator, EqualAlignedExtentsFillTheFile) {
    constexpr uint32_t chunk_granules = 512;
    ExtentAllocator allocator(100 * chunk_granules * granule);
    std::vector<Extent> extents;
    for (int round = 0; round < 3; ++round) {
        while (const auto extent = allocator.allocate(chunk_granules, chunk_granules))
            extents.push_back(*extent);
        ASSERT_EQ(extents.size(), 100u);
        ASSERT_EQ(allocator.free_bytes(), 0u);
        std::vector<Extent> kept;
        for (size_t index = 0; index < extents.size(); ++index) {
            if (index % 2 == 0)
                allocator.release(extents[index]);
            else
                kept.push_back(extents[index]);
        }
        extents = kept;
    }
}

// Goal: a place given back is the last to be used again, which keeps late trouble away from new
// data. Method: take, give back, take: the next place lies further on until the file has been gone
// through.
TEST(ExtentAllocator, GoesThroughTheFileBeforeReuse) {
    ExtentAllocator allocator(8 * granule);
    for (uint32_t round = 0; round < 20; ++round) {
        const auto extent = allocator.allocate(1, 1);
        ASSERT_TRUE(extent.has_value());
        EXPECT_EQ(extent->first_granule, round % 8);
        allocator.release(*extent);
    }
}

// Goal: giving back what is not out stops the program. Method: twice, in part twice, never handed
// out, behind the end, nothing at all.
TEST(ExtentAllocatorDeathTest, RefusesWhatIsNotOut) {
    ExtentAllocator allocator(200 * granule);
    const Extent extent = *allocator.allocate(100, 1);
    EXPECT_DEATH(allocator.release({0, 101}), "broken invariant");
    EXPECT_DEATH(allocator.release({150, 1}), "broken invariant");
    EXPECT_DEATH(allocator.release({199, 2}), "broken invariant");
    EXPECT_DEATH(allocator.release({0xffffffff, 2}), "broken invariant");
    EXPECT_DEATH(allocator.release({}), "broken invariant");
    allocator.release(extent);
    EXPECT_DEATH(allocator.release(extent), "broken invariant");
    EXPECT_DEATH((void)allocator.allocate(0, 1), "broken invariant");
    EXPECT_DEATH((void)allocator.allocate(1, 3), "broken invariant");
}

}  // namespace
}  // namespace ciuic::test
