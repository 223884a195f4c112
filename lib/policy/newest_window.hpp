// SPDX-License-Identifier: Apache-2.0
//
// Newest window: how many of a session's newest chunks keep_old leaves alone, so that whoever
// waited for a chunk, or for several at once, uses it before it goes.
//
// One instruction can touch two chunks at each of its source and destination, and as many threads
// as wait now and then run at a time: four chunks for each, and four more for those that were woken
// and have not run yet. Every chunk in the window is one less that is kept, so that it is no larger
// than that. Where a quarter of the frames does not hold it, there is none, and nothing may go.
//
// Threads: one. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace ciuic {

class NewestWindow {
public:
    // So many chunks are waited for now.
    void awaited(uint32_t count) {
        if (count >= most_) {
            most_ = count;
            since_ = 0;
        } else if (++since_ == forgets_after) {
            --most_;
            since_ = 0;
        }
    }

    // None: nothing may go by keep_old.
    std::optional<uint32_t> spared(uint32_t frames) const {
        const uint32_t needed = per_wait * std::max(1u, most_);
        if (frames / 4 < needed) return std::nullopt;
        return std::min(needed + per_wait, frames / 4);
    }

private:
    static constexpr uint32_t per_wait = 4;
    static constexpr uint32_t forgets_after = 64;  // calls with fewer that wait

    uint32_t most_ = 0;
    uint32_t since_ = 0;
};

}  // namespace ciuic
