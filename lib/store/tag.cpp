// SPDX-License-Identifier: Apache-2.0
#include "store/tag.hpp"

#include "base/check.hpp"

#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
// Picks SSE2, AVX2 or AVX-512 by the machine: five times the speed of the library's plain build.
#include <xxh_x86dispatch.h>
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif

namespace ciuic {

namespace {

// Longer than the 240 bytes that are hashed without the dispatched code: the library makes its
// choice in plain stores on its first long hash, so that must not happen on two threads at once.
[[maybe_unused]] const uint64_t dispatch_chosen = [] {
    constexpr std::byte long_input[512]{};
    return XXH3_64bits(long_input, sizeof long_input);
}();

}  // namespace

void hash_blocks(std::span<const std::byte> data, uint64_t block_bytes,
                 std::span<uint64_t> hashes) {
    CIUIC_CHECK(block_bytes > 0 && data.size() == hashes.size() * block_bytes);
    const std::byte* block = data.data();
    for (uint64_t& hash : hashes) {
        hash = XXH3_64bits(block, block_bytes);
        block += block_bytes;
    }
}

uint64_t bind_tag(const TagBinding& binding, uint32_t block, uint64_t content_hash) {
    const struct {
        uint64_t realm;
        uint32_t session;
        uint32_t chunk;
        uint32_t generation;
        uint32_t block;
        Extent place;
        uint64_t content_hash;
    } bound = {binding.realm, binding.session, binding.chunk, binding.generation,
               block,         binding.place,   content_hash};
    static_assert(sizeof bound == 40);  // no padding: every hashed byte is given above
    return XXH3_64bits(&bound, sizeof bound);
}

}  // namespace ciuic
