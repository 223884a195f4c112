// SPDX-License-Identifier: Apache-2.0
//
// Sequence learner: programs repeat what they did; it finds where in the past the present was.
//
// A cursor stands at a past use and follows the present: a use that comes within the next few
// entries of the log moves it on to there. What lies between was left out this time (a branch), and
// a use that does not come there is one more (noise): neither loses the place. Where the leading
// cursor did not expect a use, the worst one is set anew, to that past use of the same chunk whose
// uses before it agree longest with those just now. Interleaved threads each have their cursor.
//
// The cursor whose expectations come true most often leads, and what follows it in the log is the
// prediction: what the session uses next, and when each chunk's turn comes. A fresh cursor has to
// be right some 45 times in a row before it is trusted, and is not any more after 16 times wrong.
//
// Not here: what is done with the prediction (future_directory.hpp, the engine).
// Threads: one. Pure; a use takes a bounded time whatever the log holds.
#pragma once

#include "limits.hpp"
#include "policy/use_log.hpp"

#include <array>
#include <optional>
#include <span>

namespace ciuic {

class SequenceLearner {
public:
    explicit SequenceLearner(const UseLog& log) : log_(&log) {}

    // What a use showed about the prediction before it.
    struct Step {
        bool came_true = false;
        // Then: positions from here to before `found` were predicted and did not come.
        uint32_t first_left_out = 0;
        uint32_t found = 0;
    };

    // The session uses the chunk; the caller appends it to the log after this.
    Step used(ChunkIndex chunk);

    // The prediction is worth acting on.
    bool is_confident() const { return confident_; }
    // There is a prediction, good or bad.
    bool is_following() const { return leading().following && log_->holds(leading().at); }

    // While following: the past use that the latest one corresponds to, and so many uses ago.
    uint32_t at() const { return leading().at; }
    uint32_t period() const { return log_->end() - 1 - at(); }
    // For how many uses it has been followed.
    uint32_t followed() const { return log_->end() - leading().since; }

    // While following: where in the log the chunk is used next, after at(). None: nowhere.
    std::optional<uint32_t> next_use(ChunkIndex chunk) const;

    // The chunks that are used next, in order, each use by itself; returns how many.
    size_t upcoming(std::span<ChunkIndex> chunks) const;

private:
    struct Cursor {
        bool following = false;
        uint32_t at = 0;
        uint32_t since = 0;  // position of the use that set it
        uint32_t score = 0;  // decayed share of uses that it expected, of score_one
    };
    static constexpr uint32_t score_one = 1u << 16;

    const Cursor& leading() const { return cursors_[leading_]; }
    std::optional<uint32_t> find_ahead(uint32_t at, ChunkIndex chunk) const;
    uint32_t agreement(uint32_t position) const;
    uint32_t find_like_now(uint32_t latest) const;
    void drop_twins();
    void start_cursor(ChunkIndex chunk);
    bool choose_leader();

    const UseLog* log_;
    std::array<Cursor, limits::sequence_cursors> cursors_{};
    uint32_t leading_ = 0;
    bool confident_ = false;
};

}  // namespace ciuic
