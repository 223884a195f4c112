// SPDX-License-Identifier: Apache-2.0
//
// Profile: everything that a seed decides before the first step. Swarm testing: each feature and
// each fault is off in many seeds, so that the others are met alone.
#pragma once

#include "engine/engine.hpp"
#include "tests/sim/sim_clients.hpp"
#include "tests/sim/sim_device.hpp"
#include "tests/sim/sim_disk.hpp"

namespace ciuic::sim {

enum class WorkloadKind : uint8_t { mixed, patterns, short_sequences };

struct Profile {
    WorkloadKind workload = WorkloadKind::mixed;
    uint64_t sequence = 0;  // the first of short_sequences
    SimDeviceOptions device;
    SimDiskOptions disk;
    SimClientsOptions clients;
    EngineOptions engine;
    StoreOptions store;
    uint32_t bounces = 1;  // buffers for single blocks
    uint32_t steps = 0;
    // Of each step, at most.
    uint32_t thread_steps = 1;
    uint32_t disk_steps = 1;
    uint32_t worker_steps = 1;
    // The owner ticks only when it has a reason to; else at any time.
    bool owner_waits = true;
    Nanos step_time_max;
    uint32_t jump_chance = 0;  // of each step, out of 16 * chance_base
    Nanos jump_max;
};

// `steps`: 0 lets the seed decide.
Profile profile_of(uint64_t seed, uint32_t steps);

}  // namespace ciuic::sim
