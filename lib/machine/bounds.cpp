// SPDX-License-Identifier: Apache-2.0
#include "machine/bounds.hpp"

#include <algorithm>

namespace ciuic::machine {
namespace {

struct Traffic {
    double in_bytes = 0;
    double out_bytes = 0;
};

double used_bytes(const Load& load) {
    return static_cast<double>(load.weight_bytes + load.kv_bytes) +
           load.expert_share * static_cast<double>(load.expert_bytes);
}

double compute_s(const Load& load, const Card& card) {
    const double utilisation =
        load.step_utilisation > 0 ? load.step_utilisation : card.compute_utilisation;
    return load.flop / (card.peak_flop_per_s * utilisation);
}

// State read and written, gradients read, weights written.
double optimizer_bytes(const Load& load) {
    return static_cast<double>(2 * load.optimizer_bytes + load.gradient_bytes + load.weight_bytes +
                               load.expert_bytes);
}

double native_seconds(const Load& load, const Card& card) {
    const double pass =
        std::max(used_bytes(load) / card.reached_bytes_per_s(), compute_s(load, card));
    if (load.kind != WorkKind::training) return pass;
    return pass + optimizer_bytes(load) / card.reached_bytes_per_s();
}

double link_seconds(const Traffic& traffic, const Card& card, const Host& host) {
    const double share = slot_share(card, host);
    return std::max(traffic.in_bytes / (card.to_device_bytes_per_s * share),
                    traffic.out_bytes / (card.to_host_bytes_per_s * share));
}

// What the disk has to bring and take in each pass.
double disk_seconds(const Load& load, const Placement& placement, const Host& host) {
    if (placement.cold_bytes <= host.room_bytes()) return 0;
    if (load.kind == WorkKind::training) {
        // What there is when the backward pass has ended, all of which is written anew in each
        // step; checkpoints have had memory to themselves before.
        const uint64_t kept =
            load.weight_bytes + load.expert_bytes + load.gradient_bytes + load.optimizer_bytes;
        const uint64_t room = placement.resident_bytes + host.room_bytes();
        const double bytes = static_cast<double>(kept > room ? kept - room : 0);
        return std::max(bytes / host.disk_read_bytes_per_s, bytes / host.disk_write_bytes_per_s);
    }
    const double share =
        1.0 - static_cast<double>(host.room_bytes()) / static_cast<double>(placement.cold_bytes);
    return std::max(placement.to_device_bytes * share / host.disk_read_bytes_per_s,
                    placement.to_host_bytes * share / host.disk_write_bytes_per_s);
}

// What the optimizer reads and the card had no room for cannot come before the backward pass has
// ended, and what it writes cannot go before.
double optimizer_link_seconds(const Load& load, const Placement& placement, const Card& card,
                              const Host& host) {
    const auto beyond = [&](uint64_t bytes) {
        return static_cast<double>(bytes > placement.room_bytes ? bytes - placement.room_bytes : 0);
    };
    const uint64_t weights = load.weight_bytes + load.expert_bytes;
    return link_seconds({beyond(load.gradient_bytes + load.optimizer_bytes),
                         beyond(weights + load.optimizer_bytes)},
                        card, host);
}

// Layers take turns.
double shared_inference_s(const Load& load, const Placement& placement, const Card& card,
                          const Host& host) {
    const double cold_bytes = placement.to_device_bytes;
    const double cold_share = cold_bytes / used_bytes(load);
    const double on_card = std::max((used_bytes(load) - cold_bytes) / card.reached_bytes_per_s(),
                                    compute_s(load, card) * (1.0 - cold_share));
    return on_card +
           std::max(cold_bytes / host.memory_bytes_per_s, load.flop * cold_share / host.flop_per_s);
}

// The card trains as if there were no optimizer; the processor runs it on state in its memory.
double shared_training_s(const Load& load, const Card& card, const Host& host,
                         const Placement& without_state) {
    const double pass =
        std::max(used_bytes(load) / card.reached_bytes_per_s(), compute_s(load, card));
    const double weights = static_cast<double>(load.weight_bytes + load.expert_bytes);
    // At least the new weights come in and the gradients go out.
    const Traffic traffic = {
        std::max(without_state.to_device_bytes, weights),
        std::max(without_state.to_host_bytes, static_cast<double>(load.gradient_bytes))};
    return std::max(
        {pass, link_seconds(traffic, card, host), optimizer_bytes(load) / host.memory_bytes_per_s});
}

Bound bound_of(double seconds, double native_s) {
    return {seconds, native_s / std::max(seconds, native_s)};
}

}  // namespace

Bounds bounds_of(const Load& load, const Card& card, const Host& host, uint64_t budget_bytes) {
    Bounds bounds;
    bounds.placement = place(load, card, budget_bytes);
    const Placement& placement = bounds.placement;
    bounds.native_s = native_seconds(load, card);
    if (load.kind == WorkKind::training)
        bounds.optimizer_s = optimizer_bytes(load) / card.reached_bytes_per_s();
    bounds.memory_holds = placement.cold_bytes <= host.room_bytes();
    if (!placement.is_possible) return bounds;
    if (placement.cold_bytes == 0) {
        bounds.stream = bounds.compute = {bounds.native_s, 1.0};
        bounds.stream_here = bounds.compute_here = bounds.stream;
        return bounds;
    }
    const Traffic traffic = {placement.to_device_bytes, placement.to_host_bytes};
    double stream_s = std::max(bounds.native_s, link_seconds(traffic, card, host));
    if (load.kind == WorkKind::training) {
        bounds.optimizer_stream_s = optimizer_link_seconds(load, placement, card, host);
        stream_s =
            std::max(stream_s, bounds.native_s - bounds.optimizer_s + bounds.optimizer_stream_s);
    }
    double compute_s = 0;
    if (load.kind == WorkKind::training) {
        Load without_state = load;
        without_state.optimizer_bytes = 0;
        compute_s = shared_training_s(load, card, host, place(without_state, card, budget_bytes));
    } else {
        compute_s = shared_inference_s(load, placement, card, host);
    }
    bounds.stream = bound_of(stream_s, bounds.native_s);
    bounds.compute = bound_of(compute_s, bounds.native_s);
    const double disk_s = disk_seconds(load, placement, host);
    bounds.stream_here = bound_of(std::max(stream_s, disk_s), bounds.native_s);
    bounds.compute_here = bound_of(std::max(compute_s, disk_s), bounds.native_s);
    return bounds;
}

}  // namespace ciuic::machine
