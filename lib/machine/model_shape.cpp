// SPDX-License-Identifier: Apache-2.0
#include "machine/model_shape.hpp"

namespace ciuic::machine {
namespace {

uint64_t product(uint64_t a, uint64_t b, uint64_t c = 1) { return a * b * c; }

uint64_t expert_parameters(const Transformer& shape) {
    return product(shape.mlp_matrices, shape.hidden, shape.expert_intermediate);
}

// Queries and output, keys and values, and the two norms.
uint64_t attention_parameters(const Transformer& shape) {
    return 2 * product(shape.hidden, shape.heads, shape.head_width) +
           2 * product(shape.hidden, shape.kv_heads, shape.head_width) + 2ull * shape.hidden;
}

uint64_t embedding_parameters(const Transformer& shape) {
    return product(shape.tied_embedding ? 1 : 2, shape.vocabulary, shape.hidden) + shape.hidden;
}

uint64_t transformer_parameters(const Transformer& shape, uint64_t experts) {
    const uint64_t dense_layers = shape.layers - shape.expert_layers();
    const uint64_t router = product(shape.experts, shape.hidden);
    return embedding_parameters(shape) + shape.layers * attention_parameters(shape) +
           dense_layers * product(shape.mlp_matrices, shape.hidden, shape.intermediate) +
           shape.expert_layers() *
               (router + (shape.shared_experts + experts) * expert_parameters(shape));
}

}  // namespace

uint64_t parameters(const ModelShape& model) {
    if (model.kind == ModelKind::diffusion)
        return model.diffusion.denoiser_parameters + model.diffusion.text_encoder_parameters +
               model.diffusion.decoder_parameters;
    return transformer_parameters(model.transformer, model.transformer.experts);
}

uint64_t routed_parameters(const ModelShape& model) {
    if (model.kind == ModelKind::diffusion) return 0;
    const Transformer& shape = model.transformer;
    return product(shape.expert_layers(), shape.experts, expert_parameters(shape));
}

uint64_t active_parameters(const ModelShape& model) {
    if (model.kind == ModelKind::diffusion) return model.diffusion.denoiser_parameters;
    return transformer_parameters(model.transformer, model.transformer.active_experts);
}

uint64_t bytes_of(uint64_t parameters, const ModelShape& model) {
    return parameters * model.weight_bits / 8;
}

uint64_t kv_bytes_per_token(const Transformer& shape) {
    return 2 * product(shape.layers, shape.kv_heads, shape.head_width) * shape.kv_bits / 8;
}

}  // namespace ciuic::machine
