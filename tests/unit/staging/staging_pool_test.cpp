// SPDX-License-Identifier: Apache-2.0
#include "staging/staging_pool.hpp"

#include "base/units.hpp"
#include "tests/support/fake_topology.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ciuic::test {
namespace {

StagingPool make_pool(FakeTopology& topology, uint64_t buffer_bytes, uint32_t per_node) {
    auto pool = StagingPool::create(topology, buffer_bytes, per_node);
    EXPECT_TRUE(pool.has_value());
    return *std::move(pool);
}

std::vector<uint32_t> nodes_of_all_takes(StagingPool& pool, uint32_t node) {
    std::vector<uint32_t> order;
    while (const auto buffer = pool.take(node)) order.push_back(buffer->node);
    return order;
}

// Goal: an empty node is helped out by the nearest, seen from itself. Method: a ring whose
// distances differ by direction, one buffer per node, emptied from each node in turn. An order by
// node number, or by the distance of the way back, gives another sequence.
TEST(StagingPool, TakesFromTheNearestNodeFirst) {
    FakeTopology topology = FakeTopology::four_node_ring();
    const std::vector<std::vector<uint32_t>> wanted = {
        {0, 1, 3, 2}, {1, 2, 0, 3}, {2, 3, 1, 0}, {3, 0, 2, 1}};
    for (uint32_t node = 0; node < 4; ++node) {
        StagingPool pool = make_pool(topology, 4 * KiB, 1);
        EXPECT_EQ(nodes_of_all_takes(pool, node), wanted[node]) << node;
        EXPECT_EQ(pool.remote_takes(), 3u);
        EXPECT_FALSE(pool.take(node).has_value());
    }
}

// Goal: a node's own buffers come first even where a table calls another node as near. Method: two
// nodes at distance 10 from each other, the second asked.
TEST(StagingPool, OwnNodeWinsATie) {
    FakeTopology topology({{10, 10}, {10, 10}});
    StagingPool pool = make_pool(topology, 4 * KiB, 2);
    EXPECT_EQ(nodes_of_all_takes(pool, 1), (std::vector<uint32_t>{1, 1, 0, 0}));
    EXPECT_EQ(pool.remote_takes(), 2u);
}

// Goal: a buffer that says node n lies in memory that was bound to n; buffers never overlap.
// Method: each buffer against the ranges that the fake recorded.
TEST(StagingPool, BuffersLieInMemoryOfTheirNode) {
    FakeTopology topology = FakeTopology::four_node_ring();
    StagingPool pool = make_pool(topology, 64 * KiB, 3);
    std::set<std::byte*> seen;
    while (const auto buffer = pool.take(2)) {
        EXPECT_EQ(buffer->bytes.size(), 64 * KiB);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->bytes.data()) % (64 * KiB), 0u);
        EXPECT_TRUE(seen.insert(buffer->bytes.data()).second);
        int holders = 0;
        for (const FakeTopology::Binding& bound : topology.bindings) {
            const bool holds = buffer->bytes.data() >= bound.memory.data() &&
                               buffer->bytes.data() + buffer->bytes.size() <=
                                   bound.memory.data() + bound.memory.size();
            if (!holds) continue;
            ++holders;
            EXPECT_EQ(bound.node, buffer->node);
        }
        EXPECT_EQ(holders, 1);
    }
    EXPECT_EQ(seen.size(), 12u);
}

// Goal: a buffer goes home, whoever borrowed it. Method: drain two nodes from one of them, give
// all back, and see each node's own takes succeed without a remote one.
TEST(StagingPool, GivesBackToTheNodeItCameFrom) {
    FakeTopology topology = FakeTopology::two_nodes();
    StagingPool pool = make_pool(topology, 16 * KiB, 2);
    std::vector<std::span<std::byte>> borrowed;
    while (const auto buffer = pool.take(0)) borrowed.push_back(buffer->bytes);
    EXPECT_EQ(pool.available(0), 0u);
    EXPECT_EQ(pool.available(1), 0u);
    for (const std::span<std::byte> bytes : borrowed) pool.give_back(bytes);
    EXPECT_EQ(pool.available(0), 2u);
    EXPECT_EQ(pool.available(1), 2u);

    const uint64_t before = pool.remote_takes();
    EXPECT_EQ(before, 2u);
    for (const uint32_t node : {1u, 0u, 1u, 0u}) EXPECT_EQ(pool.take(node)->node, node);
    EXPECT_EQ(pool.remote_takes(), before);
}

// Goal: a buffer given back twice, or that was never one, stops the program. Method: the four ways
// to be wrong.
TEST(StagingPoolDeathTest, RefusesWhatIsNotOut) {
    FakeTopology topology = FakeTopology::two_nodes();
    StagingPool pool = make_pool(topology, 16 * KiB, 2);
    const std::span<std::byte> buffer = pool.take(0)->bytes;
    std::vector<std::byte> foreign(16 * KiB);
    EXPECT_DEATH(pool.give_back(foreign), "broken invariant");
    EXPECT_DEATH(pool.give_back(buffer.first(4 * KiB)), "broken invariant");
    EXPECT_DEATH(pool.give_back({buffer.data() + 4 * KiB, 16 * KiB}), "broken invariant");
    pool.give_back(buffer);
    EXPECT_DEATH(pool.give_back(buffer), "broken invariant");
}

// Goal: a node that cannot be bound is a refusal, not a pool elsewhere. Method: a topology that
// refuses; and sizes that no pool has.
TEST(StagingPool, RefusesWhatItCannotDo) {
    FakeTopology topology = FakeTopology::two_nodes();
    EXPECT_EQ(StagingPool::create(topology, 12 * KiB, 1).error().code, Errc::invalid);
    EXPECT_EQ(StagingPool::create(topology, 2 * KiB, 1).error().code, Errc::invalid);
    EXPECT_EQ(StagingPool::create(topology, 4 * KiB, 0).error().code, Errc::invalid);
    topology.refuses_to_bind = true;
    EXPECT_EQ(StagingPool::create(topology, 4 * KiB, 1).error().code, Errc::io);
}

}  // namespace
}  // namespace ciuic::test
