// SPDX-License-Identifier: Apache-2.0
#include "staging/numa.hpp"

#include "base/check.hpp"

#include <numa.h>
#include <numaif.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace ciuic {

namespace {

constexpr uint32_t local_distance = 10;  // ACPI SLIT: 10 is local
constexpr uint32_t unknown_distance = 20;

class OneNode final : public Topology {
public:
    uint32_t nodes() const override { return 1; }
    uint32_t distance(uint32_t, uint32_t) const override { return local_distance; }
    uint32_t current_node() const override { return 0; }
    Status bind(std::span<std::byte>, uint32_t node) override {
        if (node != 0) return Error{Errc::invalid, 0, "no such NUMA node"};
        return {};
    }
};

// The kernel's node numbers have gaps and nodes without memory; ours count the nodes with memory
// that this process may use.
class NumaNodes final : public Topology {
public:
    explicit NumaNodes(std::vector<int> memory_nodes) : memory_nodes_(std::move(memory_nodes)) {
        for (int node = 0; node <= numa_max_node(); ++node) nearest_.push_back(nearest_to(node));
    }

    uint32_t nodes() const override { return static_cast<uint32_t>(memory_nodes_.size()); }

    uint32_t distance(uint32_t from, uint32_t to) const override {
        CIUIC_CHECK(from < nodes() && to < nodes());
        return kernel_distance(memory_nodes_[from], memory_nodes_[to]);
    }

    uint32_t current_node() const override {
        unsigned cpu = 0;
        unsigned node = 0;
        if (::getcpu(&cpu, &node) != 0 || node >= nearest_.size()) return 0;
        return nearest_[node];
    }

    // Preferred, not strict: when the node runs full, a strict policy has the process killed where
    // this one takes slower memory from the next node.
    Status bind(std::span<std::byte> memory, uint32_t node) override {
        if (node >= nodes()) return Error{Errc::invalid, 0, "no such NUMA node"};
        bitmask* const mask = numa_allocate_nodemask();
        numa_bitmask_setbit(mask, static_cast<unsigned>(memory_nodes_[node]));
        // The kernel takes one bit less than it is told.
        const long refused =
            ::mbind(memory.data(), memory.size(), MPOL_PREFERRED, mask->maskp, mask->size + 1, 0);
        const int os_error = refused == 0 ? 0 : errno;
        numa_bitmask_free(mask);
        if (refused != 0) return os_refusal("mbind", os_error);
        return {};
    }

private:
    static uint32_t kernel_distance(int from, int to) {
        const int distance = numa_distance(from, to);
        if (distance > 0) return static_cast<uint32_t>(distance);
        return from == to ? local_distance : unknown_distance;
    }

    uint32_t nearest_to(int node) const {
        const auto nearest = std::min_element(
            memory_nodes_.begin(), memory_nodes_.end(), [node](int left, int right) {
                return kernel_distance(node, left) < kernel_distance(node, right);
            });
        return static_cast<uint32_t>(nearest - memory_nodes_.begin());
    }

    std::vector<int> memory_nodes_;  // our number -> the kernel's
    std::vector<uint32_t> nearest_;  // the kernel's number -> ours
};

std::vector<int> usable_memory_nodes() {
    std::vector<int> nodes;
    bitmask* const allowed = numa_get_mems_allowed();
    for (int node = 0; node <= numa_max_node(); ++node) {
        if (numa_bitmask_isbitset(allowed, static_cast<unsigned>(node)) &&
            numa_node_size64(node, nullptr) > 0)
            nodes.push_back(node);
    }
    numa_bitmask_free(allowed);
    return nodes;
}

}  // namespace

std::unique_ptr<Topology> machine_topology() {
    if (numa_available() < 0) return std::make_unique<OneNode>();
    std::vector<int> nodes = usable_memory_nodes();
    if (nodes.empty()) return std::make_unique<OneNode>();
    return std::make_unique<NumaNodes>(std::move(nodes));
}

}  // namespace ciuic
