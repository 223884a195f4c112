// SPDX-License-Identifier: Apache-2.0
//
// Cards, a host and models by the numbers of the research notes that the founding rows stand in
// ("Peers: model, weight and KV offload", section 2.1): memory, FLOP/s, utilisation and link.
#pragma once

#include "machine/hardware.hpp"
#include "machine/model_shape.hpp"

namespace ciuic::machine::test {

inline constexpr uint64_t gb = 1'000'000'000;

inline Card card_of(double memory_gb_per_s, double tflop_per_s, double utilisation,
                    uint32_t generation, double link_gb_per_s) {
    Card card;
    card.memory_bytes = 80 * gb;
    card.memory_peak_bytes_per_s = memory_gb_per_s * 1e9;
    card.peak_flop_per_s = tflop_per_s * 1e12;
    card.compute_utilisation = utilisation;
    card.bandwidth_share = 0.8;
    card.context_bytes = gb / 2;
    card.staging_bytes = gb / 4;
    card.slot = {generation, 16};
    card.to_device_bytes_per_s = link_gb_per_s * 1e9;
    card.to_host_bytes_per_s = link_gb_per_s * 1e9;
    return card;
}

inline Card rtx_3090() { return card_of(936, 71, 0.65, 4, 25); }
inline Card rtx_4090() { return card_of(1008, 165, 0.60, 4, 25); }
inline Card a100() { return card_of(2039, 312, 0.60, 4, 25); }
inline Card h100() { return card_of(3350, 989, 0.50, 5, 55); }

// Memory without end.
inline Host roomy_host(double memory_gb_per_s = 70) {
    Host host;
    host.memory_bytes = 4096 * gb;
    host.reserved_bytes = 4 * gb;
    host.memory_bytes_per_s = memory_gb_per_s * 1e9;
    host.flop_per_s = 0.9e12;
    host.slot = {5, 16};
    host.disk_read_bytes_per_s = 7e9;
    host.disk_write_bytes_per_s = 1e9;
    return host;
}

inline ModelShape llama(uint32_t layers, uint32_t hidden, uint32_t heads, uint32_t intermediate) {
    ModelShape model;
    model.weight_bits = 16;
    Transformer& shape = model.transformer;
    shape.layers = layers;
    shape.hidden = hidden;
    shape.heads = shape.kv_heads = heads;
    shape.head_width = 128;
    shape.intermediate = intermediate;
    shape.mlp_matrices = 3;
    shape.vocabulary = 32000;
    shape.kv_bits = 16;
    shape.workspace_bytes = 150'000'000;
    return model;
}

inline ModelShape llama_7b() { return llama(32, 4096, 32, 11008); }
inline ModelShape llama_13b() { return llama(40, 5120, 40, 13824); }
inline ModelShape llama_30b() { return llama(60, 6656, 52, 17920); }

inline ModelShape deepseek_moe_16b() {
    ModelShape model = llama(28, 2048, 16, 10944);
    Transformer& shape = model.transformer;
    shape.vocabulary = 102400;
    shape.dense_layers = 1;
    shape.experts = 64;
    shape.shared_experts = 2;
    shape.active_experts = 6;
    shape.expert_intermediate = 1408;
    return model;
}

inline ModelShape diffusion(uint64_t parameters, double step_flop, uint64_t activation_bytes) {
    ModelShape model;
    model.kind = ModelKind::diffusion;
    model.weight_bits = 16;
    model.diffusion.denoiser_parameters = parameters;
    model.diffusion.step_flop = step_flop;
    model.diffusion.activation_bytes = activation_bytes;
    return model;
}

inline ModelShape sd_15() { return diffusion(859'520'000, 1.355e12, 600'000'000); }
inline ModelShape sdxl() { return diffusion(2'567'460'000, 11.955e12, 1'200'000'000); }
inline ModelShape dit_8b() { return diffusion(8'100'000'000, 86e12, 1'400'000'000); }

}  // namespace ciuic::machine::test
