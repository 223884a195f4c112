// SPDX-License-Identifier: Apache-2.0
#include "policy/arrival_order.hpp"

#include "base/check.hpp"
#include "limits.hpp"

namespace ciuic {

ArrivalLink& ArrivalOrder::at(FrameIndex frame) {
    CIUIC_CHECK(frame.value < links_.size());
    return links_[frame.value];
}

void ArrivalOrder::arrived(ArrivalList& list, FrameIndex frame, bool untouched) {
    left(list, frame);
    ArrivalLink& link = at(frame);
    link = {.newer = none_index, .older = list.newest, .listed = true, .untouched = untouched};
    if (list.newest != none_index) links_[list.newest].newer = frame.value;
    list.newest = frame.value;
    ++list.frames;
}

void ArrivalOrder::left(ArrivalList& list, FrameIndex frame) {
    ArrivalLink& link = at(frame);
    if (!link.listed) return;
    CIUIC_CHECK(list.frames > 0);
    if (link.newer != none_index)
        links_[link.newer].older = link.older;
    else
        list.newest = link.older;
    if (link.older != none_index) links_[link.older].newer = link.newer;
    link = {};
    --list.frames;
}

std::optional<FrameIndex> ArrivalOrder::newest_beyond(const ArrivalList& list, uint32_t spared,
                                                      std::span<const Frame> frames) const {
    CIUIC_CHECK(frames.size() == links_.size());
    uint32_t looked_at = 0;
    uint32_t frame = list.newest;
    for (; frame != none_index && looked_at < limits::arrivals_looked_at; ++looked_at) {
        const ArrivalLink& link = links_[frame];
        if (!link.untouched) {
            if (spared == 0 && frames[frame].movable) return FrameIndex{frame};
            if (spared > 0) --spared;
        }
        frame = link.older;
    }
    return std::nullopt;
}

}  // namespace ciuic
