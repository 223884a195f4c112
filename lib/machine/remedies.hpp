// SPDX-License-Identifier: Apache-2.0
//
// What would help where the bounds are too low, in numbers: more tokens in a pass, fewer bits in a
// weight, a larger budget, the processor; and which of it is worth a recommendation.
//
//   tokens    so many that computing them takes as long as the stream, times the share that is
//             wanted: wanted x cold weights / link x reached FLOP/s / (2 x active parameters). The
//             keys and values of the pass as it is; more prompts at once, or guesses verified
//             together, not longer answers. In training, four times the operations, and so many
//             that what streams after them is the rest of the step that may be lost.
//   bits      (budget - context - activations - keys and values) x 8 / parameters: all of it stays
//   budget    the smallest whose bound of streaming is what is wanted
//
// Not here: words (cli/plan).
// Threads: any.
#pragma once

#include "machine/bounds.hpp"
#include "machine/model_shape.hpp"

namespace ciuic::machine {

struct Remedies {
    double tokens_per_pass = 0;  // 0: does not help, or none are missing
    double resident_bits = 0;    // for each weight; 0: none fit
    uint64_t budget_bytes = 0;   // 0: the one given is enough

    bool keep_all = false;  // everything fits
    bool stream = false;    // as it is, reaches what is wanted
    bool compute_cold = false;
    bool batch_more = false;
    bool quantise = false;
    bool more_memory = false;  // the host's; the link would do
    bool do_not = false;       // as it is
};

// Below this share of native, running it as it is serves nobody.
inline constexpr double hopeless_fraction = 0.1;
// The processor's bound is this much better than the stream's before it is recommended.
inline constexpr double worthwhile_gain = 1.2;
// More tokens than this are in no pass.
inline constexpr double tokens_per_pass_max = 65536;
// Fewer bits than this are no model any more.
inline constexpr double weight_bits_min = 2;

// wanted_fraction of native is the goal.
Remedies remedies_of(const ModelShape& model, const Load& load, const Bounds& bounds,
                     const Card& card, const Host& host, uint64_t budget_bytes,
                     double wanted_fraction);

}  // namespace ciuic::machine
