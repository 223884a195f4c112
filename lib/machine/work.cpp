// SPDX-License-Identifier: Apache-2.0
#include "machine/work.hpp"

#include <algorithm>
#include <cmath>

namespace ciuic::machine {
namespace {

constexpr uint64_t activation_element_bytes = 2;
constexpr uint64_t logit_bytes = 4;
constexpr uint64_t optimizer_bytes_per_parameter = 12;  // master weight, mean, variance: fp32
constexpr uint64_t layer_activations =
    34;  // bytes per token and unit of width (Korthikanti et al.)

double scores_flop(const Transformer& shape, double queries, double keys) {
    return 4.0 * queries * keys * shape.heads * shape.head_width * shape.layers;
}

// Of one forward pass, causal.
double forward_flop(const ModelShape& model, const Work& work) {
    const double length = work.context;
    return 2.0 * static_cast<double>(active_parameters(model)) *
               static_cast<double>(tokens_of(work)) +
           work.batch * scores_flop(model.transformer, length, length) / 2;
}

// One layer's at a time: the sum that goes through, its norm, and the widest of what a layer makes.
uint64_t inference_activation_bytes(const Transformer& shape, const Work& work) {
    const uint64_t attention =
        (shape.heads + 2ull * shape.kv_heads) * static_cast<uint64_t>(shape.head_width);
    const uint64_t parts = shape.mlp_matrices - 1;
    const uint64_t dense = parts * shape.intermediate;
    const uint64_t chosen = shape.active_experts + static_cast<uint64_t>(shape.shared_experts);
    const uint64_t experts = parts * chosen * shape.expert_intermediate;
    const uint64_t width = 2ull * shape.hidden + std::max({attention, dense, experts});
    return shape.workspace_bytes + tokens_of(work) * width * activation_element_bytes;
}

double touched_experts(const Transformer& shape, const Work& work) {
    if (shape.experts == 0) return 0;
    const double idle = 1.0 - static_cast<double>(shape.active_experts) / shape.experts;
    return 1.0 - std::pow(idle, static_cast<double>(tokens_of(work)));
}

void add_training(const ModelShape& model, const Work& work, Load& load) {
    const Transformer& shape = model.transformer;
    const uint64_t count = parameters(model);
    load.flop = 4 * forward_flop(model, work);
    load.kv_bytes = 0;
    load.gradient_bytes = bytes_of(count, model);
    load.optimizer_bytes = optimizer_bytes_per_parameter * count;
    const uint64_t one_layer = tokens_of(work) * shape.hidden;
    load.checkpoint_bytes = shape.layers * one_layer * activation_element_bytes;
    load.activation_bytes = shape.workspace_bytes + layer_activations * one_layer +
                            tokens_of(work) * shape.vocabulary * logit_bytes;
}

Load transformer_load(const ModelShape& model, const Work& work) {
    const Transformer& shape = model.transformer;
    Load load;
    load.kind = work.kind;
    load.expert_bytes = bytes_of(routed_parameters(model), model);
    load.weight_bytes = bytes_of(parameters(model), model) - load.expert_bytes;
    load.expert_share = touched_experts(shape, work);
    load.kv_bytes = kv_bytes_per_token(shape) * work.batch * work.context;
    load.activation_bytes = inference_activation_bytes(shape, work);
    if (work.kind == WorkKind::training)
        add_training(model, work, load);
    else if (work.kind == WorkKind::prefill)
        load.flop = forward_flop(model, work);
    else
        load.flop = 2.0 * static_cast<double>(active_parameters(model)) * work.batch +
                    work.batch * scores_flop(shape, 1, work.context);
    return load;
}

}  // namespace

uint64_t tokens_of(const Work& work) {
    if (work.kind == WorkKind::decode) return work.batch;
    return static_cast<uint64_t>(work.batch) * work.context;
}

Load load_of(const ModelShape& model, const Work& work) {
    if (model.kind == ModelKind::transformer) return transformer_load(model, work);
    Load load;
    load.kind = WorkKind::denoise;
    load.flop = model.diffusion.step_flop * work.batch;
    load.step_utilisation = work.step_utilisation;
    load.weight_bytes = bytes_of(model.diffusion.denoiser_parameters, model);
    load.activation_bytes = model.diffusion.activation_bytes * work.batch;
    return load;
}

}  // namespace ciuic::machine
