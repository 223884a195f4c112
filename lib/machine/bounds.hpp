// SPDX-License-Identifier: Apache-2.0
//
// How fast a pass can be, at best: with everything on the card, with the rest streamed, with the
// rest computed by the processor. No program reaches more; what is missing to them is overlap.
//
//   native    the longer of reading what the pass uses and computing it; in training, the optimizer
//             reads and writes its state after that
//   stream    the longest of native, what comes in over the link, and what goes out: perfect
//             overlap, both directions at once. In training, forward and backward pass are followed
//             by what the optimizer moves beyond the card's room
//   compute   layers on the card and layers on the processor take turns: the card's part of native,
//             then the longer of reading the cold part from memory and computing it there. Lossless
//             but for the order of summation. In training the processor runs the optimizer beside
//             the card (Ren et al., ZeRO-Offload): weights come in, gradients go out.
//   here      the same where this host's memory does not hold what is off the card: memory keeps
//             a fixed part of it, the disk brings the rest in each pass; in training, brings and
//             takes the weights, gradients and optimizer state that neither the card nor memory
//             has room for
//
// fraction = native / bound. (The same model as in the Ciuic research notes, "Peers: model, weight
// and KV offload", section 2.1.)
//
// Not here: mapping, latencies, missed overlap: what a run loses against these (the simulator).
// Threads: any.
#pragma once

#include "machine/placement.hpp"

namespace ciuic::machine {

struct Bound {
    double seconds = 0;
    double fraction = 0;  // of native; 0: not possible at all
};

struct Bounds {
    Placement placement;
    double native_s = 0;            // on a card that holds everything
    double optimizer_s = 0;         // of it, in training
    double optimizer_stream_s = 0;  // in training, what streams after the backward pass
    Bound stream;                   // in a host whose memory holds the rest
    Bound compute;
    bool memory_holds = true;  // this host's does
    Bound stream_here;
    Bound compute_here;

    double best_here() const {
        return stream_here.fraction > compute_here.fraction ? stream_here.fraction
                                                            : compute_here.fraction;
    }
};

Bounds bounds_of(const Load& load, const Card& card, const Host& host, uint64_t budget_bytes);

}  // namespace ciuic::machine
