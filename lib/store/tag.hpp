// SPDX-License-Identifier: Apache-2.0
//
// Integrity tags: what a block's bytes must hash to, bound to who owns them, which version they
// are and where they lie, so that stale, foreign and misplaced bytes are all refused.
//
// The hash is XXH3-64 (xxHash 0.8): it finds damage and misdirected I/O, not a forger.
// Threads: pure functions, any.
#pragma once

#include "store/extent.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

struct TagBinding {
    uint64_t realm = 0;  // uid + cgroup of the owner
    uint32_t session = 0;
    uint32_t chunk = 0;
    uint32_t generation = 0;  // grows with every write of the chunk to the store
    Extent place;
};

// Content hashes of consecutive blocks: hashes.size() == data.size() / block_bytes. 0.1 ms for
// 2 MiB: run it on a worker.
void hash_blocks(std::span<const std::byte> data, uint64_t block_bytes, std::span<uint64_t> hashes);

// The tag of block `block` of a chunk whose content hash is `content_hash`. Nanoseconds.
uint64_t bind_tag(const TagBinding& binding, uint32_t block, uint64_t content_hash);

}  // namespace ciuic
