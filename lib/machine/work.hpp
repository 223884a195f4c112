// SPDX-License-Identifier: Apache-2.0
//
// What one pass over a model needs: bytes that it reads and writes, operations, and memory that has
// to be on the card while it runs.
//
// A pass is one token for each of a batch (decode), a batch of prompts (prefill), a step with its
// optimizer (training), or one denoising step. Every weight is used once in a pass, twice in
// training; attention is the kind that keeps no matrix of scores.
//
//   decode     2 x active parameters x batch + 4 x batch x context x heads x head width x layers
//   prefill    2 x active parameters x tokens + 2 x batch x context^2 x heads x head width x layers
//              (causal: half of the scores)
//   training   4 forward passes: forward, forward again from the checkpoints, backward twice
//   (Kaplan et al., Scaling Laws for Neural Language Models, section 2.1; Korthikanti et al.,
//   Reducing Activation Recomputation in Large Transformer Models, for training's activations.)
//
// Of a mixture's routed experts, a pass of T tokens touches the share 1 - (1 - active/all)^T: the
// routing is taken as even. A skewed one lets the hot experts stay, and does better.
//
// Not here: what of it is where (placement), how long it takes (bounds).
// Threads: any.
#pragma once

#include "machine/model_shape.hpp"

#include <cstdint>

namespace ciuic::machine {

enum class WorkKind : uint8_t { decode, prefill, training, denoise };

struct Work {
    WorkKind kind = WorkKind::decode;
    uint32_t batch = 1;
    uint32_t context = 2048;      // tokens of each sequence; none of them in denoising
    double step_utilisation = 0;  // of the card's peak, in denoising; 0: the card's own
};

struct Load {
    WorkKind kind = WorkKind::decode;
    double flop = 0;
    double step_utilisation = 0;

    // Stored bytes that the pass uses. Routed experts are apart, since it uses a share of them.
    uint64_t weight_bytes = 0;  // without routed experts
    uint64_t expert_bytes = 0;
    double expert_share = 0;
    uint64_t kv_bytes = 0;

    // Training: fp32 master weights and two moments; what the forward pass leaves for the backward.
    uint64_t gradient_bytes = 0;
    uint64_t optimizer_bytes = 0;
    uint64_t checkpoint_bytes = 0;

    uint64_t activation_bytes = 0;  // on the card while the pass runs

    uint64_t state_bytes() const {
        return weight_bytes + expert_bytes + kv_bytes + gradient_bytes + optimizer_bytes +
               checkpoint_bytes;
    }
};

// Sequences times their length; one for each sequence in decoding.
uint64_t tokens_of(const Work& work);

Load load_of(const ModelShape& model, const Work& work);

}  // namespace ciuic::machine
