// SPDX-License-Identifier: Apache-2.0
//
// Recency directory: what LRU would hold, which is the chunks used last, as many as there are
// frames. The use log knows them already: they are those with a use after a certain position.
//
// Threads: one. Pure.
#pragma once

#include "policy/directory.hpp"
#include "policy/use_log.hpp"

namespace ciuic {

class RecencyDirectory {
public:
    explicit RecencyDirectory(const UseLog& log) : log_(&log) {}

    bool holds(ChunkIndex chunk) const {
        const auto last = log_->last_of(chunk);
        return last && log_->end() - *last <= log_->end() - first_;
    }

    // Called with every use after it was appended; was_held: holds() before that.
    DirectoryChange used(bool was_held, uint32_t frames) {
        DirectoryChange change(was_held);
        if (!was_held) ++count_;
        // A log that has wrapped has forgotten its oldest use: where that was the last one of its
        // chunk, the chunk is not found any more.
        while (!change.is_full() && (count_ > frames || !will_be_held(first_))) {
            if (log_->holds(first_) && log_->is_latest(first_)) {
                change.leaves(ChunkIndex{log_->at(first_).chunk});
                --count_;
            }
            ++first_;
        }
        return change;
    }

private:
    // Also after the next use.
    bool will_be_held(uint32_t position) const { return log_->end() - position < log_->capacity(); }

    const UseLog* log_;
    uint32_t first_ = 0;  // the chunks used since then are held
    uint32_t count_ = 0;  // so many
};

}  // namespace ciuic
