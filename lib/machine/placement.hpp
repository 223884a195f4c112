// SPDX-License-Identifier: Apache-2.0
//
// What stays on the card within a budget, what is off it, and what therefore crosses the link in
// each pass, at the very least.
//
// Inference uses every byte once in a pass, in the same order: the least traffic is a part that
// stays and a stream of all the rest (Belady's optimum on a cycle). Which part is free to choose;
// here what every pass uses comes before routed experts. In prefill, the keys and values that the
// pass leaves are wanted next, by decoding: they stay as far as there is room, the rest goes out.
//
// Training passes over its state in turns, and what is on the card at a turn (at most the room)
// need not cross: forward to backward (weights, checkpoints), backward to optimizer (gradients),
// and optimizer to forward (weights, written there anew). What is left of the room over all three
// holds optimizer state.
//
// Not here: seconds (bounds).
// Threads: any.
#pragma once

#include "machine/hardware.hpp"
#include "machine/work.hpp"

#include <cstdint>

namespace ciuic::machine {

struct Placement {
    bool is_possible = true;      // what has to be on the card fits the budget
    uint64_t fixed_bytes = 0;     // context, activations, and staging where something streams
    uint64_t room_bytes = 0;      // what the budget leaves for the model's state
    uint64_t resident_bytes = 0;  // of the state
    uint64_t cold_bytes = 0;      // of the state, off the card
    double to_device_bytes = 0;   // in each pass
    double to_host_bytes = 0;
};

Placement place(const Load& load, const Card& card, uint64_t budget_bytes);

}  // namespace ciuic::machine
