// SPDX-License-Identifier: Apache-2.0
//
// Staging pool: equal-sized buffers on every NUMA node, nearest first.
//
// Not here: what is staged, waiting for a free buffer (the engine retries).
// Threads: one. No allocation after construction.
#pragma once

#include "base/result.hpp"
#include "staging/arena.hpp"
#include "staging/topology.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ciuic {

class StagingPool {
public:
    // `buffers_per_node` buffers of `buffer_bytes` (a power of two >= 4 KiB) on each node.
    static Result<StagingPool> create(Topology& topology, uint64_t buffer_bytes,
                                      uint32_t buffers_per_node);

    struct Buffer {
        std::span<std::byte> bytes;
        uint32_t node = 0;  // where it lies: the wanted node unless that one was empty
    };

    // A buffer on `node`, else on the nearest node that has one; none when all are taken.
    std::optional<Buffer> take(uint32_t node);
    void give_back(std::span<std::byte> bytes);

    uint32_t available(uint32_t node) const;
    uint64_t remote_takes() const { return remote_takes_; }  // buffers taken from another node

private:
    struct Node {
        Arena arena;
        std::vector<uint32_t> free;     // buffer numbers, a stack
        std::vector<uint32_t> nearest;  // all nodes, nearest first, itself first
        std::vector<bool> taken;
    };

    uint64_t buffer_bytes_ = 0;
    uint64_t remote_takes_ = 0;
    std::vector<Node> nodes_;
};

}  // namespace ciuic
