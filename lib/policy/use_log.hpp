// SPDX-License-Identifier: Apache-2.0
//
// Use log: which chunks a session used, in which order, as far back as the log holds.
//
// A use has a position, one more than that of the use before it. Each entry knows the chunk's use
// before, and each chunk its latest.
//
// Positions wrap at 2^32; only differences of positions that the log holds mean anything.
//
// Threads: one. Pure: the memory is the caller's, zeros or anything else at first.
#pragma once

#include "base/check.hpp"
#include "base/units.hpp"
#include "limits.hpp"

#include <optional>
#include <span>

namespace ciuic {

struct Use {
    uint32_t chunk : 31;
    uint32_t is_fresh : 1;  // what the chunk held before it was given up
    uint32_t earlier;       // position of the chunk's use before this one; its own without one
};
static_assert(sizeof(Use) == 8 && limits::session_chunks_max <= 1u << 31);

class UseLog {
public:
    // last: one per chunk.
    UseLog(std::span<Use> uses, std::span<uint32_t> last) : uses_(uses), last_(last) {
        CIUIC_CHECK(!uses.empty() && uses.size() < (1u << 31));
    }

    void append(ChunkIndex chunk, bool is_fresh = false) {
        uses_[head_] = {chunk.value & 0x7fffffffu, is_fresh, last_of(chunk).value_or(end_)};
        last_[chunk.value] = end_++;
        if (++head_ == uses_.size()) head_ = 0;
        if (held_ < uses_.size()) ++held_;
    }

    uint32_t end() const { return end_; }  // the position of the next use
    uint32_t capacity() const { return static_cast<uint32_t>(uses_.size()); }
    uint32_t chunks() const { return static_cast<uint32_t>(last_.size()); }

    bool holds(uint32_t position) const { return end_ - position - 1 < held_; }

    const Use& at(uint32_t position) const {
        CIUIC_CHECK(holds(position));
        const uint32_t back = end_ - position;
        return uses_[back <= head_ ? head_ - back : head_ + capacity() - back];
    }

    // The chunk's latest use. None: never, or longer ago than the log holds.
    std::optional<uint32_t> last_of(ChunkIndex chunk) const {
        CIUIC_CHECK(chunk.value < last_.size());
        const uint32_t position = last_[chunk.value];
        if (!holds(position) || at(position).chunk != chunk.value) return std::nullopt;
        return position;
    }

    // The chunk's use before the one at this position.
    std::optional<uint32_t> earlier(uint32_t position) const {
        const uint32_t before = at(position).earlier;
        if (before == position || !holds(before)) return std::nullopt;
        return before;
    }

    bool is_latest(uint32_t position) const { return last_[at(position).chunk] == position; }

private:
    std::span<Use> uses_;  // a ring
    std::span<uint32_t> last_;
    uint32_t end_ = 0;
    uint32_t head_ = 0;  // index of the next entry
    uint32_t held_ = 0;
};

}  // namespace ciuic
