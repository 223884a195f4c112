// SPDX-License-Identifier: Apache-2.0
//
// The topology of this machine, from libnuma; one node where the kernel or a container offers no
// NUMA.
#pragma once

#include "staging/topology.hpp"

#include <memory>

namespace ciuic {

std::unique_ptr<Topology> machine_topology();

}  // namespace ciuic
