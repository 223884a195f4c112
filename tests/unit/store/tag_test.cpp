// SPDX-License-Identifier: Apache-2.0
#include "store/tag.hpp"

#include "base/random.hpp"
#include "base/units.hpp"

// The library's plain code, as the reference for the fast one.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace ciuic {
namespace {

// Goal: the hash is XXH3-64 on every machine, whichever vector code was picked. Method: the
// library's plain code on the same blocks, for every block size that is used and a few lengths
// around the library's own borders.
TEST(HashBlocks, IsXxh3OnEveryMachine) {
    Random random(1);
    std::vector<std::byte> data(256 * KiB);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random.next());
    for (const uint64_t block_bytes :
         {uint64_t{16}, uint64_t{240}, uint64_t{241}, 4 * KiB, 16 * KiB, 64 * KiB}) {
        const uint64_t blocks = data.size() / block_bytes;
        std::vector<uint64_t> hashes(blocks);
        hash_blocks(std::span(data).first(blocks * block_bytes), block_bytes, hashes);
        for (uint64_t block = 0; block < blocks; ++block)
            ASSERT_EQ(hashes[block], XXH3_64bits(&data[block * block_bytes], block_bytes));
    }
}

// Goal: any flipped bit is seen, in its own block only. Method: flip bits at the ends of each block
// and at random places, one at a time.
TEST(HashBlocks, SeesEveryFlippedBitInItsBlock) {
    constexpr uint64_t block_bytes = 4 * KiB;
    std::vector<std::byte> data(8 * block_bytes);
    Random random(2);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random.next());
    std::array<uint64_t, 8> before{};
    hash_blocks(data, block_bytes, before);
    for (uint64_t flip = 0; flip < 400; ++flip) {
        const uint64_t block = flip % 8;
        const uint64_t inside = flip < 8    ? 0
                                : flip < 16 ? block_bytes - 1
                                            : random.below(block_bytes);
        const auto bit = static_cast<std::byte>(1u << random.below(8));
        data[block * block_bytes + inside] ^= bit;
        std::array<uint64_t, 8> after{};
        hash_blocks(data, block_bytes, after);
        for (uint64_t other = 0; other < 8; ++other)
            ASSERT_EQ(after[other] == before[other], other != block) << inside;
        data[block * block_bytes + inside] ^= bit;
    }
}

// Goal: a tag proves owner, version and place, not only content. Method: change one thing at a
// time, by one and by its highest bit; every tag differs from every other.
TEST(BindTag, CoversEverythingItIsGiven) {
    const TagBinding base{.realm = 1, .session = 1, .chunk = 1, .generation = 1, .place = {1, 512}};
    std::set<uint64_t> tags = {bind_tag(base, 1, 1)};
    size_t variants = 1;
    const auto add = [&](auto change, uint32_t block = 1, uint64_t content_hash = 1) {
        TagBinding binding = base;
        change(binding);
        tags.insert(bind_tag(binding, block, content_hash));
        ++variants;
    };
    const auto nothing = [](TagBinding&) {};
    for (const uint32_t number : {2u, 1u << 31}) {
        add([&](TagBinding& b) { b.realm = uint64_t{number} << 32; });
        add([&](TagBinding& b) { b.realm = number; });
        add([&](TagBinding& b) { b.session = number; });
        add([&](TagBinding& b) { b.chunk = number; });
        add([&](TagBinding& b) { b.generation = number; });
        add([&](TagBinding& b) { b.place.first_granule = number; });
        add([&](TagBinding& b) { b.place.granules = number; });
        add(nothing, number);
        add(nothing, 1, number);
        add(nothing, 1, uint64_t{number} << 32);
    }
    EXPECT_EQ(tags.size(), variants);
}

}  // namespace
}  // namespace ciuic
