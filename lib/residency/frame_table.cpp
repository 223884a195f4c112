// SPDX-License-Identifier: Apache-2.0
#include "residency/frame_table.hpp"

#include "base/check.hpp"

namespace ciuic {

FrameTable::FrameTable(std::span<Frame> frames) : frames_(frames), free_(this->frames()) {
    for (uint32_t index = this->frames(); index-- > 0;) {
        frames_[index] = Frame{};
        frames_[index].next_free = first_free_;
        first_free_ = index;
    }
}

Frame& FrameTable::at(FrameIndex frame) const {
    CIUIC_CHECK(frame.value < frames_.size());
    return frames_[frame.value];
}

FrameIndex FrameTable::take(ChunkRef owner) {
    CIUIC_CHECK(free_ > 0 && first_free_ != none_index);
    const FrameIndex frame{first_free_};
    Frame& entry = at(frame);
    CIUIC_CHECK(!entry.held);
    first_free_ = entry.next_free;
    --free_;
    entry = {.owner = owner, .next_free = none_index, .held = true, .movable = false};
    return frame;
}

void FrameTable::give_back(FrameIndex frame) {
    Frame& entry = at(frame);
    CIUIC_CHECK(entry.held);
    entry = {.owner = {}, .next_free = first_free_, .held = false, .movable = false};
    first_free_ = frame.value;
    ++free_;
}

void FrameTable::set_movable(FrameIndex frame, bool movable) {
    Frame& entry = at(frame);
    CIUIC_CHECK(entry.held);
    entry.movable = movable;
}

}  // namespace ciuic
