// SPDX-License-Identifier: Apache-2.0
//
// Frame table: which chunk has which frame of one device.
//
// Not here: the memory behind a frame (device/), which frame to empty (policy/).
// Threads: one, the engine's. Pure: works in memory that the caller gives it.
#pragma once

#include "base/units.hpp"

#include <span>

namespace ciuic {

struct Frame {
    ChunkRef owner;
    uint32_t next_free = none_index;  // among the free frames
    bool held = false;                // a chunk has it
    bool movable = false;             // held, and its chunk is in no move: it may be taken
};

class FrameTable {
public:
    FrameTable() = default;
    explicit FrameTable(std::span<Frame> frames);

    uint32_t frames() const { return static_cast<uint32_t>(frames_.size()); }
    uint32_t free() const { return free_; }
    std::span<const Frame> facts() const { return frames_; }
    const Frame& operator[](FrameIndex frame) const { return at(frame); }

    // Precondition: free() > 0.
    FrameIndex take(ChunkRef owner);
    void give_back(FrameIndex frame);
    void set_movable(FrameIndex frame, bool movable);

private:
    Frame& at(FrameIndex frame) const;

    std::span<Frame> frames_;
    uint32_t first_free_ = none_index;
    uint32_t free_ = 0;
};

}  // namespace ciuic
