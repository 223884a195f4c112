// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_program.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cmath>

namespace ciuic::sim {

namespace {

// Of a gated transformer's layer: query, key, value, output, gate, up, down.
constexpr uint32_t matrices_per_layer = 7;
// A diffusion model is cut into as many equal parts.
constexpr uint32_t denoiser_layers = 32;

using Kind = ProgramStep::Kind;

}  // namespace

CardProgram::CardProgram(const machine::ModelShape& model, const machine::Load& load,
                         const machine::Bounds& bounds, uint64_t chunk_bytes, uint64_t seed)
    : load_(load), native_s_(bounds.native_s), optimizer_s_(bounds.optimizer_s),
      layers_(model.kind == machine::ModelKind::transformer ? model.transformer.layers
                                                            : denoiser_layers),
      experts_(model.transformer.experts), weights_(place(load.weight_bytes, chunk_bytes)),
      routed_(place(load.expert_bytes, chunk_bytes)), kv_(place(load.kv_bytes, chunk_bytes)),
      gradients_(place(load.gradient_bytes, chunk_bytes)),
      optimizer_(place(load.optimizer_bytes, chunk_bytes)),
      checkpoints_(place(load.checkpoint_bytes, chunk_bytes)), random_(seed) {}

CardProgram::Part CardProgram::place(uint64_t bytes, uint64_t chunk_bytes) {
    const Part part{chunks_, static_cast<uint32_t>((bytes + chunk_bytes - 1) / chunk_bytes), bytes};
    chunks_ += part.count;
    return part;
}

// No chunk is in two slices: one that holds the border of two tensors goes with the first.
CardProgram::Part CardProgram::slice(const Part& whole, uint32_t index, uint32_t of) {
    const auto begin = static_cast<uint32_t>(uint64_t{whole.count} * index / of);
    const auto end = static_cast<uint32_t>(uint64_t{whole.count} * (index + 1) / of);
    return {whole.first + begin, end - begin, whole.bytes / of};
}

void CardProgram::add(Steps& steps, Kind kind, const Part& part, double seconds) const {
    if (part.count > 0 || seconds > 0) steps.push_back({kind, part.first, part.count, seconds});
}

void CardProgram::add_weights(Steps& steps, uint32_t layer, double seconds) const {
    for (uint32_t matrix = 0; matrix < matrices_per_layer; ++matrix)
        add(steps, Kind::read,
            slice(weights_, layer * matrices_per_layer + matrix, layers_ * matrices_per_layer),
            seconds / matrices_per_layer);
}

// Evenly chosen.
void CardProgram::add_experts(Steps& steps, uint32_t layer, double seconds) {
    if (experts_ == 0) return;
    const Part all = slice(routed_, layer, layers_);
    const auto used = static_cast<uint32_t>(std::lround(load_.expert_share * experts_));
    uint32_t left = used;
    for (uint32_t expert = 0; expert < experts_ && left > 0; ++expert) {
        if (random_.below(experts_ - expert) >= left) continue;
        --left;
        const uint64_t begin = uint64_t{all.count} * expert / experts_;
        const uint64_t end = (uint64_t{all.count} * (expert + 1) + experts_ - 1) / experts_;
        add(steps, Kind::read,
            {all.first + static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin), 0},
            seconds / used);
    }
}

std::vector<ProgramStep> CardProgram::loading() const {
    Steps steps;
    for (const Part& part : {weights_, routed_, kv_, optimizer_})
        for (uint32_t chunk = 0; chunk < part.count; ++chunk)
            add(steps, Kind::write, {part.first + chunk, 1, 0}, 0);
    return steps;
}

std::vector<ProgramStep> CardProgram::pass() {
    return load_.kind == machine::WorkKind::training ? training() : inference();
}

CardProgram::Steps CardProgram::inference() {
    Steps steps;
    const bool is_prefill = load_.kind == machine::WorkKind::prefill;
    const bool is_decode = load_.kind == machine::WorkKind::decode;
    const double used = static_cast<double>(load_.weight_bytes) +
                        load_.expert_share * static_cast<double>(load_.expert_bytes);
    const double kv = is_decode ? static_cast<double>(load_.kv_bytes) : 0;
    const double expert_share = load_.expert_share * static_cast<double>(load_.expert_bytes) / used;
    const double layer_s = native_s_ / layers_;
    const double weights_s = layer_s * used / (used + kv);
    if (is_prefill) add(steps, Kind::give_up, kv_, 0);
    for (uint32_t layer = 0; layer < layers_; ++layer) {
        add_weights(steps, layer, weights_s * (1 - expert_share));
        add_experts(steps, layer, weights_s * expert_share);
        const Part keys = slice(kv_, layer, layers_);
        if (is_prefill) {
            add(steps, Kind::write, keys, 0);
        } else if (is_decode) {
            add(steps, Kind::read, keys, layer_s - weights_s);
            if (keys.count > 0) add(steps, Kind::write, {keys.first + keys.count - 1, 1, 0}, 0);
        }
    }
    return steps;
}

CardProgram::Steps CardProgram::training() const {
    Steps steps;
    const double layer_s = (native_s_ - optimizer_s_) / layers_;
    for (uint32_t layer = 0; layer < layers_; ++layer) {
        add_weights(steps, layer, layer_s / 4);
        add(steps, Kind::write, slice(checkpoints_, layer, layers_), 0);
    }
    for (uint32_t layer = layers_; layer-- > 0;) {
        const Part checkpoint = slice(checkpoints_, layer, layers_);
        add(steps, Kind::read, checkpoint, 0);
        for (uint32_t matrix = matrices_per_layer; matrix-- > 0;) {
            const uint32_t index = layer * matrices_per_layer + matrix;
            const uint32_t of = layers_ * matrices_per_layer;
            add(steps, Kind::read, slice(weights_, index, of),
                layer_s * 3 / 4 / matrices_per_layer);
            add(steps, Kind::write, slice(gradients_, index, of), 0);
        }
        add(steps, Kind::give_up, checkpoint, 0);
    }
    const uint32_t tensors = layers_ * matrices_per_layer;
    for (uint32_t tensor = 0; tensor < tensors; ++tensor) {
        const Part gradient = slice(gradients_, tensor, tensors);
        const Part weight = slice(weights_, tensor, tensors);
        add(steps, Kind::read, gradient, 0);
        const Part state = slice(optimizer_, tensor, tensors);
        add(steps, Kind::write, state, optimizer_s_ / tensors);
        add(steps, Kind::give_up, gradient, 0);
        add(steps, Kind::give_up, weight, 0);
        add(steps, Kind::write, weight, 0);
    }
    return steps;
}

}  // namespace ciuic::sim
