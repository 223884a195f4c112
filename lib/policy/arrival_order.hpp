// SPDX-License-Identifier: Apache-2.0
//
// Arrival order: the frames of one session from the newest to the oldest, by when their chunk came
// in or was last seen to be touched. It answers what keep_old evicts (eviction_trial.hpp): the
// newest chunk that has had its time.
//
// The newest few stay, whoever waited for them has to use them; a prefetched chunk that was not
// touched yet has not had its time either, and does not count as one of the few.
//
// Not here: how many the few are (newest_window.hpp).
// Threads: one. Pure: the links are the caller's, one per frame; the lists are the sessions'.
#pragma once

#include "residency/frame_table.hpp"

#include <optional>
#include <span>

namespace ciuic {

struct ArrivalLink {
    uint32_t newer = none_index;
    uint32_t older = none_index;
    bool listed = false;
    bool untouched = false;  // prefetched, and nobody came yet
};

struct ArrivalList {
    uint32_t newest = none_index;
    uint32_t frames = 0;
};

class ArrivalOrder {
public:
    ArrivalOrder() = default;
    explicit ArrivalOrder(std::span<ArrivalLink> links) : links_(links) {}

    // The frame is the newest of the list now; it may be in it already.
    void arrived(ArrivalList& list, FrameIndex frame, bool untouched = false);
    // The frame has no chunk any more; it need not be in the list.
    void left(ArrivalList& list, FrameIndex frame);

    // The newest movable frame but for the first `spared` that were touched. None where the list is
    // too short, or what may move lies deeper than limits::arrivals_looked_at.
    std::optional<FrameIndex> newest_beyond(const ArrivalList& list, uint32_t spared,
                                            std::span<const Frame> frames) const;

private:
    ArrivalLink& at(FrameIndex frame);

    std::span<ArrivalLink> links_;
};

}  // namespace ciuic
