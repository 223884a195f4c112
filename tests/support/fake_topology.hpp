// SPDX-License-Identifier: Apache-2.0
//
// NUMA machines that are not at hand: distances by table, bindings recorded, refusals on request.
#pragma once

#include "staging/topology.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace ciuic::test {

class FakeTopology final : public Topology {
public:
    // distances[from][to]
    explicit FakeTopology(std::vector<std::vector<uint32_t>> distances)
        : distances_(std::move(distances)) {}

    static FakeTopology two_nodes() { return FakeTopology({{10, 21}, {21, 10}}); }

    // A ring 0-1-2-3-0 in which one way round is slower than the other, so that distance(a, b)
    // and distance(b, a) differ and no node's order follows from the node numbers.
    static FakeTopology four_node_ring() {
        return FakeTopology({
            {10, 16, 30, 22},
            {22, 10, 16, 30},
            {30, 22, 10, 16},
            {16, 30, 22, 10},
        });
    }

    struct Binding {
        std::span<std::byte> memory;
        uint32_t node;
        bool was_touched;  // a page was already there: too late to be bound
    };
    std::vector<Binding> bindings;
    uint32_t thread_node = 0;  // what current_node() says
    bool refuses_to_bind = false;

    uint32_t nodes() const override { return static_cast<uint32_t>(distances_.size()); }
    uint32_t distance(uint32_t from, uint32_t to) const override { return distances_[from][to]; }
    uint32_t current_node() const override { return thread_node; }
    Status bind(std::span<std::byte> memory, uint32_t node) override {
        if (refuses_to_bind) return os_refusal("mbind", EINVAL);
        bindings.push_back({memory, node, is_touched(memory)});
        return {};
    }

private:
    static bool is_touched(std::span<std::byte> memory) {
        std::vector<unsigned char> pages((memory.size() + 4095) / 4096);
        return ::mincore(memory.data(), memory.size(), pages.data()) != 0 ||
               std::any_of(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; });
    }

    std::vector<std::vector<uint32_t>> distances_;
};

}  // namespace ciuic::test
