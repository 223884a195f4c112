// SPDX-License-Identifier: Apache-2.0
#include "staging/staging_pool.hpp"

#include "base/check.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <numeric>

namespace ciuic {

namespace {

constexpr uint64_t huge_page_bytes = 2 * MiB;

}  // namespace

Result<StagingPool> StagingPool::create(Topology& topology, uint64_t buffer_bytes,
                                        uint32_t buffers_per_node) {
    if (!is_power_of_two(buffer_bytes) || buffer_bytes < 4 * KiB || buffers_per_node == 0)
        return Error{Errc::invalid, 0,
                     "staging: buffers must be a power of two >= 4 KiB, and some"};
    StagingPool pool;
    pool.buffer_bytes_ = buffer_bytes;
    for (uint32_t index = 0; index < topology.nodes(); ++index) {
        Node node;
        CIUIC_TRY(
            node.arena,
            create_arena(topology,
                         {.size_bytes = round_up(buffer_bytes * buffers_per_node, huge_page_bytes),
                          .alignment_bytes = std::max(buffer_bytes, huge_page_bytes),
                          .node = index}));
        // A stack: the lowest number is taken first.
        for (uint32_t number = buffers_per_node; number-- > 0;) node.free.push_back(number);
        node.taken.resize(buffers_per_node);
        node.nearest.resize(topology.nodes());
        std::iota(node.nearest.begin(), node.nearest.end(), 0);
        const auto cost = [&](uint32_t to) {
            return to == index ? 0 : topology.distance(index, to);
        };
        std::stable_sort(node.nearest.begin(), node.nearest.end(),
                         [&](uint32_t left, uint32_t right) { return cost(left) < cost(right); });
        pool.nodes_.push_back(std::move(node));
    }
    return Result<StagingPool>(std::move(pool));
}

std::optional<StagingPool::Buffer> StagingPool::take(uint32_t node) {
    CIUIC_CHECK(node < nodes_.size());
    for (const uint32_t near : nodes_[node].nearest) {
        Node& source = nodes_[near];
        if (source.free.empty()) continue;
        const uint32_t number = source.free.back();
        source.free.pop_back();
        source.taken[number] = true;
        if (near != node) ++remote_takes_;
        return Buffer{source.arena.memory.bytes().subspan(number * buffer_bytes_, buffer_bytes_),
                      near};
    }
    return std::nullopt;
}

void StagingPool::give_back(std::span<std::byte> bytes) {
    CIUIC_CHECK(bytes.size() == buffer_bytes_);
    for (Node& node : nodes_) {
        const auto offset = reinterpret_cast<uintptr_t>(bytes.data()) -
                            reinterpret_cast<uintptr_t>(node.arena.memory.data());
        const uint64_t number = offset / buffer_bytes_;
        if (number >= node.taken.size()) continue;
        CIUIC_CHECK(offset % buffer_bytes_ == 0 && node.taken[number]);
        node.taken[number] = false;
        node.free.push_back(static_cast<uint32_t>(number));
        return;
    }
    CIUIC_CHECK(!"the buffer is one of this pool's");
}

uint32_t StagingPool::available(uint32_t node) const {
    CIUIC_CHECK(node < nodes_.size());
    return static_cast<uint32_t>(nodes_[node].free.size());
}

}  // namespace ciuic
