// SPDX-License-Identifier: Apache-2.0
//
// The real engine in simulated time on a described card: a program goes through a model pass after
// pass, and what a pass takes at last is compared with what it would take natively and at best.
//
// The engine's own time is charged: driver calls as the description has them, and the processor's
// as it is measured in each turn, on whatever machine this runs; or nothing, and then one question
// has one answer.
//
// Threads: one.
#pragma once

#include "base/units.hpp"
#include "engine/stats.hpp"
#include "machine/bounds.hpp"
#include "machine/model_shape.hpp"

#include <cstdint>

namespace ciuic::sim {

struct CardQuestion {
    machine::ModelShape model;
    machine::Load load;
    machine::Card card;
    machine::Host host;
    machine::Bounds bounds;
    uint64_t chunk_bytes = 16 * MiB;
    uint32_t passes = 8;  // the last half of them is what counts
    uint64_t seed = 1;
    bool charges_processor = true;
    bool brings_ahead = true;  // or what is used comes when it is used
};

struct CardAnswer {
    uint32_t frames = 0;
    uint32_t chunks = 0;
    double pass_s = 0;  // mean of those that count
    double stalled_s = 0;
    double in_bytes = 0;  // over the link, for each of them
    double out_bytes = 0;
    double disk_bytes = 0;
    double engine_s = 0;  // the processor's, for each of them
    SessionStats stats;   // of the whole run

    double fraction = 0;  // of native
    double of_bound = 0;  // of the bound of streaming in this host
};

// The question's placement is possible.
CardAnswer run_on_card(const CardQuestion& question);

}  // namespace ciuic::sim
