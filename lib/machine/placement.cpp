// SPDX-License-Identifier: Apache-2.0
#include "machine/placement.hpp"

#include <algorithm>

namespace ciuic::machine {
namespace {

uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

void stream_inference(const Load& load, Placement& placement) {
    uint64_t always_bytes = load.weight_bytes;
    uint64_t room_bytes = placement.room_bytes;
    if (load.kind == WorkKind::prefill) {
        placement.to_host_bytes = static_cast<double>(less(load.kv_bytes, room_bytes));
        room_bytes = less(room_bytes, load.kv_bytes);
    } else {
        always_bytes += load.kv_bytes;
    }
    const uint64_t experts_out = less(load.expert_bytes, less(room_bytes, always_bytes));
    placement.to_device_bytes = static_cast<double>(less(always_bytes, room_bytes)) +
                                load.expert_share * static_cast<double>(experts_out);
}

void stream_training(const Load& load, Placement& placement) {
    const uint64_t room = placement.room_bytes;
    const uint64_t weights = load.weight_bytes + load.expert_bytes;
    const uint64_t turned = weights + load.checkpoint_bytes;
    const uint64_t kept_gradients = std::min(room, load.gradient_bytes);
    const uint64_t kept_weights = std::min(room, weights);
    const uint64_t kept_state = std::min(load.optimizer_bytes, less(room, turned));
    const uint64_t once = weights + load.gradient_bytes + load.optimizer_bytes +
                          load.checkpoint_bytes;  // each of it is read once and written once
    const uint64_t kept = kept_gradients + kept_weights + kept_state;
    // The forward pass and the backward pass each read the weights.
    placement.to_device_bytes = static_cast<double>(weights + once - kept - std::min(room, turned));
    placement.to_host_bytes =
        static_cast<double>(once - kept - std::min(less(room, weights), load.checkpoint_bytes));
}

}  // namespace

Placement place(const Load& load, const Card& card, uint64_t budget_bytes) {
    Placement placement;
    placement.fixed_bytes = card.context_bytes + load.activation_bytes;
    const uint64_t state_bytes = load.state_bytes();
    if (placement.fixed_bytes + state_bytes > budget_bytes)
        placement.fixed_bytes += card.staging_bytes;
    placement.is_possible = placement.fixed_bytes <= budget_bytes;
    placement.room_bytes = less(budget_bytes, placement.fixed_bytes);
    placement.resident_bytes = std::min(placement.room_bytes, state_bytes);
    placement.cold_bytes = state_bytes - placement.resident_bytes;
    if (placement.cold_bytes == 0) return placement;
    if (load.kind == WorkKind::training)
        stream_training(load, placement);
    else
        stream_inference(load, placement);
    return placement;
}

}  // namespace ciuic::machine
