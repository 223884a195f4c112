// SPDX-License-Identifier: Apache-2.0
//
// CLOCK with scan resistance: which frames to empty next.
//
// Every frame has a heat of 0..3. The hand passes over the frames; a warm frame cools by one, a
// cold one is proposed. Chunks that come in on a stream or by prefetch start cold, so that a scan
// passes through without pushing out what is used again; a chunk that comes back soon after it
// left starts hot. The newest quarter of the arrivals is not proposed at all: whoever waited for a
// chunk gets to use it before it goes.
//
// Not here: whether the chunk is pinned or its eviction succeeds (engine/).
// Threads: one. Pure: no clock, lock, I/O or allocation; the array of heats is the caller's.
#pragma once

#include "residency/frame_table.hpp"

#include <optional>
#include <span>

namespace ciuic {

enum class Entry : uint8_t {
    demand,   // touched, not part of a stream
    refault,  // touched, and it left only a short while ago
    stream,   // touched as part of a sequential scan
    ahead,    // prefetched, not touched yet
};

struct FrameHeat {
    uint32_t arrived_at = 0;  // the count of arrivals when its chunk came in or was touched
    uint8_t heat = 0;
};

// Whose frames may be proposed.
struct EvictionScope {
    // How many frames take turns in it: the newest quarter of so many arrivals is not proposed.
    uint32_t frames = 0;
    std::optional<SessionIndex> only{};    // this session's; none: every session's
    std::span<const uint8_t> sheltered{};  // by session; those that are not zero keep theirs
};

class ClockEviction {
public:
    ClockEviction() = default;
    // One heat per frame, as they are after construction.
    explicit ClockEviction(std::span<FrameHeat> heat)
        : heat_(heat), arrivals_(static_cast<uint32_t>(heat.size())) {}

    static constexpr uint8_t heat_max = 3;

    void entered(FrameIndex frame, Entry entry);
    void touched(FrameIndex frame);
    // The frame was proposed and could not be taken.
    void spared(FrameIndex frame);
    // The frame was proposed, and another one of the same session was taken in its place: it counts
    // as that one did, or the hand would find this session's frames cold at each of its rounds.
    void stays_for(FrameIndex proposed, FrameIndex taken);

    // Proposes up to victims.size() movable frames of the scope, in the order in which to take
    // them; returns how many. A frame is proposed once per call.
    size_t choose(std::span<const Frame> frames, const EvictionScope& scope,
                  std::span<FrameIndex> victims);

private:
    FrameHeat& at(FrameIndex frame);

    std::span<FrameHeat> heat_;
    uint32_t arrivals_ = 0;  // wraps; only differences count
    uint32_t hand_ = 0;
};

}  // namespace ciuic
