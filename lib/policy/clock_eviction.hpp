// SPDX-License-Identifier: Apache-2.0
//
// CLOCK with scan resistance: which frames to empty next.
//
// Every frame has a heat of 0..3. The hand passes over the frames; a warm frame cools by one, a
// cold one is proposed. Chunks that come in on a stream or by prefetch start cold, so that a scan
// passes through without pushing out what is used again; a chunk that comes back soon after it
// left starts hot.
//
// Not here: whether the chunk is pinned or its eviction succeeds (engine/).
// Threads: one. Pure: no clock, lock, I/O or allocation; the heat array is the caller's.
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

class ClockEviction {
public:
    ClockEviction() = default;
    explicit ClockEviction(std::span<uint8_t> heat) : heat_(heat) {}

    static constexpr uint8_t heat_max = 3;

    void entered(FrameIndex frame, Entry entry);
    void touched(FrameIndex frame);

    // Proposes up to victims.size() movable frames, of `only` where given, in the order in which
    // to take them; returns how many. A frame is proposed once per call.
    size_t choose(std::span<const Frame> frames, std::optional<SessionIndex> only,
                  std::span<FrameIndex> victims);

private:
    std::span<uint8_t> heat_;
    uint32_t hand_ = 0;
};

}  // namespace ciuic
