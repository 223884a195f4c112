// SPDX-License-Identifier: Apache-2.0
#include "policy/clock_eviction.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace ciuic {

FrameHeat& ClockEviction::at(FrameIndex frame) {
    CIUIC_CHECK(frame.value < heat_.size());
    return heat_[frame.value];
}

void ClockEviction::entered(FrameIndex frame, Entry entry) {
    FrameHeat& entered = at(frame);
    entered.arrived_at = ++arrivals_;
    switch (entry) {
    case Entry::ahead:
    case Entry::stream: entered.heat = 0; break;
    case Entry::demand: entered.heat = 1; break;
    case Entry::refault: entered.heat = heat_max; break;
    }
}

void ClockEviction::touched(FrameIndex frame) {
    FrameHeat& touched = at(frame);
    touched.arrived_at = ++arrivals_;
    touched.heat = std::min<uint8_t>(touched.heat + 1, heat_max);
}

void ClockEviction::spared(FrameIndex frame) { at(frame).heat = heat_max; }

void ClockEviction::stays_for(FrameIndex proposed, FrameIndex taken) {
    at(proposed).heat = at(taken).heat;
}

namespace {

bool is_in(const EvictionScope& scope, SessionIndex session) {
    if (scope.only) return session == *scope.only;
    return session.value >= scope.sheltered.size() || scope.sheltered[session.value] == 0;
}

}  // namespace

size_t ClockEviction::choose(std::span<const Frame> frames, const EvictionScope& scope,
                             std::span<FrameIndex> victims) {
    CIUIC_CHECK(frames.size() == heat_.size());
    size_t chosen = 0;
    // heat_max passes cool every frame to zero; one more proposes it.
    const size_t steps_max = frames.size() * (heat_max + 1);
    const auto newest = scope.frames / 4;
    const auto is_chosen = [&](uint32_t frame) {
        const auto end = victims.begin() + static_cast<std::ptrdiff_t>(chosen);
        return std::find(victims.begin(), end, FrameIndex{frame}) != end;
    };
    for (size_t step = 0; step < steps_max && chosen < victims.size(); ++step) {
        const uint32_t frame = hand_;
        hand_ = hand_ + 1 == frames.size() ? 0 : hand_ + 1;
        const Frame& facts = frames[frame];
        if (!facts.movable || !is_in(scope, facts.owner.session)) continue;
        if (arrivals_ - heat_[frame].arrived_at < newest) continue;
        if (heat_[frame].heat > 0)
            --heat_[frame].heat;
        else if (!is_chosen(frame))
            victims[chosen++] = FrameIndex{frame};
    }
    return chosen;
}

}  // namespace ciuic
