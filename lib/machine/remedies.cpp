// SPDX-License-Identifier: Apache-2.0
#include "machine/remedies.hpp"

#include <algorithm>

namespace ciuic::machine {
namespace {

double tokens_to_hide(const ModelShape& model, const Load& load, const Bounds& bounds,
                      const Card& card, const Host& host, double wanted_fraction) {
    if (load.kind == WorkKind::denoise) return 0;
    const bool is_training = load.kind == WorkKind::training;
    // Many tokens touch every expert; their keys and values are as they are.
    const uint64_t kv_cold = load.kv_bytes - std::min(load.kv_bytes, bounds.placement.room_bytes);
    const double cold_bytes =
        is_training ? std::max(bounds.placement.to_device_bytes, bounds.placement.to_host_bytes)
                    : static_cast<double>(bounds.placement.cold_bytes - kv_cold);
    const double stream_s = cold_bytes / (card.to_device_bytes_per_s * slot_share(card, host));
    double computing_s = wanted_fraction * stream_s;
    if (is_training && wanted_fraction < 1) {
        const double after_s = wanted_fraction * bounds.optimizer_stream_s - bounds.optimizer_s;
        computing_s = std::max(computing_s, after_s / (1 - wanted_fraction));
    }
    const double token_flop =
        (is_training ? 8.0 : 2.0) * static_cast<double>(active_parameters(model));
    return computing_s * card.reached_flop_per_s() / token_flop;
}

double bits_that_fit(const ModelShape& model, const Load& load, const Card& card,
                     uint64_t budget_bytes) {
    if (load.kind == WorkKind::training) return 0;
    const uint64_t beside = card.context_bytes + load.activation_bytes + load.kv_bytes;
    if (budget_bytes <= beside) return 0;
    const uint64_t count = model.kind == ModelKind::diffusion ? model.diffusion.denoiser_parameters
                                                              : parameters(model);
    return static_cast<double>(budget_bytes - beside) * 8 / static_cast<double>(count);
}

uint64_t budget_for(const Load& load, const Card& card, const Host& host, uint64_t budget_bytes,
                    double wanted_fraction) {
    uint64_t too_small = budget_bytes;
    uint64_t enough =
        card.context_bytes + card.staging_bytes + load.activation_bytes + load.state_bytes();
    while (enough - too_small > 1'000'000) {
        const uint64_t middle = too_small + (enough - too_small) / 2;
        if (bounds_of(load, card, host, middle).stream.fraction >= wanted_fraction)
            enough = middle;
        else
            too_small = middle;
    }
    return enough;
}

}  // namespace

Remedies remedies_of(const ModelShape& model, const Load& load, const Bounds& bounds,
                     const Card& card, const Host& host, uint64_t budget_bytes,
                     double wanted_fraction) {
    Remedies remedies;
    const double stream = bounds.stream_here.fraction;
    const double compute = bounds.compute_here.fraction;
    if (bounds.placement.is_possible && bounds.placement.cold_bytes == 0) {
        remedies.keep_all = true;
        return remedies;
    }
    remedies.resident_bits = bits_that_fit(model, load, card, budget_bytes);
    if (bounds.placement.is_possible && stream >= wanted_fraction) {
        remedies.stream = true;
        return remedies;
    }
    if (bounds.stream.fraction < wanted_fraction)
        remedies.budget_bytes = budget_for(load, card, host, budget_bytes, wanted_fraction);
    remedies.tokens_per_pass =
        bounds.placement.is_possible
            ? tokens_to_hide(model, load, bounds, card, host, wanted_fraction)
            : 0;
    remedies.batch_more = bounds.memory_holds &&
                          remedies.tokens_per_pass > static_cast<double>(0) &&
                          remedies.tokens_per_pass <= tokens_per_pass_max;
    remedies.quantise =
        remedies.resident_bits >= weight_bits_min && remedies.resident_bits < model.weight_bits;
    remedies.compute_cold = compute > stream * worthwhile_gain;
    remedies.more_memory = !bounds.memory_holds && bounds.stream.fraction > stream;
    remedies.do_not =
        !bounds.placement.is_possible || std::max(stream, compute) < hopeless_fraction;
    return remedies;
}

}  // namespace ciuic::machine
