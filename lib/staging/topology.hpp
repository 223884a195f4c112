// SPDX-License-Identifier: Apache-2.0
//
// The topology port: which NUMA nodes the machine has and how memory is bound to one.
//
// Adapters: numa.cpp (libnuma), and the two- and four-node fakes of the tests.
// Threads: any.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

class Topology {
public:
    virtual ~Topology() = default;

    virtual uint32_t nodes() const = 0;  // at least 1; nodes are numbered 0 .. nodes() - 1
    // Relative cost of node `from` reaching memory on node `to`; smallest for from == to.
    virtual uint32_t distance(uint32_t from, uint32_t to) const = 0;
    // The node of the calling thread's CPU.
    virtual uint32_t current_node() const = 0;
    // Binds pages that have not been touched yet. Errors: invalid, io.
    virtual Status bind(std::span<std::byte> memory, uint32_t node) = 0;
};

}  // namespace ciuic
