// SPDX-License-Identifier: Apache-2.0
//
// The shape of a model: what its published configuration says, and the sizes that follow from it.
//
// Not here: what a pass over it costs (work), which models there are (data/models).
// Threads: any.
#pragma once

#include <cstdint>

namespace ciuic::machine {

// A decoder-only language model. Layers from `dense_layers` on choose among experts.
struct Transformer {
    uint32_t layers = 0;
    uint32_t hidden = 0;
    uint32_t heads = 0;
    uint32_t kv_heads = 0;
    uint32_t head_width = 0;
    uint32_t intermediate = 0;  // of a dense layer
    uint32_t mlp_matrices = 0;  // 3: gated, as SwiGLU is; 2: not
    uint32_t vocabulary = 0;
    bool tied_embedding = false;  // the last matrix is the first
    uint32_t dense_layers = 0;
    uint32_t experts = 0;  // in each other layer; 0: every layer is dense
    uint32_t shared_experts = 0;
    uint32_t active_experts = 0;  // for each token, beside the shared ones
    uint32_t expert_intermediate = 0;
    uint64_t workspace_bytes = 0;  // on the card beside weights, keys and activations
    uint32_t kv_bits = 0;          // of one element

    uint32_t expert_layers() const { return experts == 0 ? 0 : layers - dense_layers; }
};

// A diffusion model: a step needs the denoiser alone, what comes before and after has its turn.
struct Diffusion {
    uint64_t denoiser_parameters = 0;
    uint64_t text_encoder_parameters = 0;
    uint64_t decoder_parameters = 0;
    double step_flop = 0;  // with guidance
    uint64_t activation_bytes = 0;
};

enum class ModelKind : uint8_t { transformer, diffusion };

struct ModelShape {
    ModelKind kind = ModelKind::transformer;
    Transformer transformer;
    Diffusion diffusion;
    uint32_t weight_bits = 0;  // of one parameter
};

// All that are stored; of these, the routed experts'; and those at work on one token.
uint64_t parameters(const ModelShape& model);
uint64_t routed_parameters(const ModelShape& model);
uint64_t active_parameters(const ModelShape& model);

uint64_t bytes_of(uint64_t parameters, const ModelShape& model);

// Keys and values of one token: 2 x layers x KV heads x head width x element.
uint64_t kv_bytes_per_token(const Transformer& shape);

}  // namespace ciuic::machine
