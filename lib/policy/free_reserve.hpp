// SPDX-License-Identifier: Apache-2.0
//
// Free reserve: how many frames are kept free, so that whoever needs one does not wait for an
// eviction.
//
// All that the options allow while evictions write: a write takes as long as the read that wants
// the frame. Where the store still has the bytes a frame is given up in no time, or after a hash of
// it, and half is enough. The other half is memory that holds nothing: of a set that is a quarter
// too large for 1 GiB, eight frames are one miss in twenty.
//
// An eviction whose program came back leaves the reserve short, and what comes in next may find it
// so: that is made up for when the next frame is taken. Made up for at once, another chunk would be
// frozen while the program runs, and so on: where the program uses all that it has, each eviction
// then writes two or three chunks, and their program waits for each of them.
//
// Not here: what goes (the engine).
// Threads: one. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ciuic {

class FreeReserve {
public:
    // A chunk was evicted.
    void left(bool written) {
        if (written)
            writes_ = std::min(writes_ + per_write, writes_max);
        else if (writes_ > 0)
            --writes_;
    }

    // A chunk that was leaving stays: its program came back.
    void came_back() { ++returned_; }
    // A frame was taken.
    void taken() { returned_ = 0; }

    // most: what the options allow.
    uint32_t frames(uint32_t most) const {
        const bool writes = writes_ >= writes_max / 2;
        const uint32_t whole = writes ? most : std::max(std::min(most, least), most / 2);
        // A quarter is for sessions below their guarantee alone: the others need one beside it.
        const uint32_t in_any_case = std::min(whole, most / 4 + 1);
        return std::max(whole - std::min(returned_, whole / 2), in_any_case);
    }

private:
    // More than one in nine has written lately: the whole reserve. One that writes now and then,
    // what was never evicted before, does not call for it.
    static constexpr uint32_t per_write = 8;
    static constexpr uint32_t writes_max = 64;
    // So few are no loss, and a prefetch leaves a quarter of the reserve alone.
    static constexpr uint32_t least = 4;

    uint32_t writes_ = writes_max;
    uint32_t returned_ = 0;  // since a frame was taken
};

}  // namespace ciuic
