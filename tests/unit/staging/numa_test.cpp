// SPDX-License-Identifier: Apache-2.0
#include "staging/numa.hpp"

#include "base/mapping.hpp"
#include "base/units.hpp"

#include <gtest/gtest.h>
#include <numaif.h>

namespace ciuic {
namespace {

// Goal: whatever the machine, the numbers are usable. Method: the port's own promises.
TEST(MachineTopology, KeepsThePortsPromises) {
    const auto topology = machine_topology();
    ASSERT_GE(topology->nodes(), 1u);
    EXPECT_LT(topology->current_node(), topology->nodes());
    for (uint32_t from = 0; from < topology->nodes(); ++from)
        for (uint32_t to = 0; to < topology->nodes(); ++to) {
            EXPECT_GT(topology->distance(from, to), 0u);
            EXPECT_LE(topology->distance(from, from), topology->distance(from, to));
        }
}

// Goal: memory bound to a node carries the kernel's policy for it, and an unknown node is refused.
// Method: bind fresh pages to each node and ask the kernel where the policy sends them.
TEST(MachineTopology, BindingReachesTheKernel) {
    const auto topology = machine_topology();
    auto mapping = Mapping::create(64 * KiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    ASSERT_TRUE(mapping.has_value());
    const Status unknown = topology->bind(mapping->bytes(), topology->nodes());
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code, Errc::invalid);

    for (uint32_t node = 0; node < topology->nodes(); ++node) {
        ASSERT_TRUE(topology->bind(mapping->bytes(), node));
        int policy = -1;
        unsigned long mask[16]{};
        if (::get_mempolicy(&policy, mask, sizeof mask * 8, mapping->data(), MPOL_F_ADDR) != 0)
            GTEST_SKIP() << "no NUMA policies here: one node, nothing to bind";
        EXPECT_EQ(policy, MPOL_PREFERRED);
        int set = 0;
        for (const unsigned long word : mask) set += __builtin_popcountl(word);
        EXPECT_EQ(set, 1);
    }
}

}  // namespace
}  // namespace ciuic
