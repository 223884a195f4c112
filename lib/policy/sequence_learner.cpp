// SPDX-License-Identifier: Apache-2.0
#include "policy/sequence_learner.hpp"

#include <algorithm>

namespace ciuic {

namespace {

constexpr uint32_t score_shift = 5;  // a score is of the last 32 uses, mostly
// Repeating work, of which a fifth is noise, scores 0.82; skewed random use 0.05-0.45.
constexpr uint32_t trusted_percent = 75;
constexpr uint32_t kept_percent = 60;
// Another cursor takes the lead when it is better by a tenth, so that equals do not take turns.
constexpr uint32_t lead_percent = 10;
// Uses of one chunk that are looked at for one like now, and before it for how alike it is.
constexpr uint32_t alike_looked_at = 16;
constexpr uint32_t agreement_max = 8;
// Uses of a chunk that are gone back through for the next one. One used more often in a period than
// that is predicted too late, but it is also never long unused.
constexpr uint32_t next_use_steps = 64;

}  // namespace

std::optional<uint32_t> SequenceLearner::find_ahead(uint32_t at, ChunkIndex chunk) const {
    for (uint32_t step = 1; step <= limits::sequence_window; ++step) {
        const uint32_t position = at + step;
        if (!log_->holds(position)) return std::nullopt;
        if (log_->at(position).chunk == chunk.value) return position;
    }
    return std::nullopt;
}

// How many uses before that position are those before now, too.
uint32_t SequenceLearner::agreement(uint32_t position) const {
    for (uint32_t back = 1; back <= agreement_max; ++back) {
        const uint32_t then = position - back;
        const uint32_t now = log_->end() - back;
        if (!log_->holds(then) || !log_->holds(now)) return back - 1;
        if (log_->at(then).chunk != log_->at(now).chunk) return back - 1;
    }
    return agreement_max;
}

uint32_t SequenceLearner::find_like_now(uint32_t latest) const {
    uint32_t best = latest;
    uint32_t best_agreement = agreement(latest);
    std::optional<uint32_t> position = log_->earlier(latest);
    for (uint32_t looked = 1; position && looked < alike_looked_at; ++looked) {
        if (best_agreement == agreement_max) break;
        const uint32_t agrees = agreement(*position);
        if (agrees > best_agreement) {
            best = *position;
            best_agreement = agrees;
        }
        position = log_->earlier(*position);
    }
    return best;
}

// Two cursors at one place stay together for good: the leader, or the better one, is enough.
void SequenceLearner::drop_twins() {
    for (uint32_t one = 0; one < cursors_.size(); ++one) {
        for (uint32_t other = one + 1; other < cursors_.size(); ++other) {
            Cursor& a = cursors_[one];
            Cursor& b = cursors_[other];
            if (!a.following || !b.following || a.at != b.at) continue;
            const bool keeps_b = other == leading_ || (one != leading_ && b.score > a.score);
            (keeps_b ? a : b) = {};
        }
    }
}

void SequenceLearner::start_cursor(ChunkIndex chunk) {
    const auto latest = log_->last_of(chunk);
    if (!latest) return;
    const uint32_t position = find_like_now(*latest);
    for (const Cursor& cursor : cursors_)
        if (cursor.following && cursor.at == position) return;
    const auto weaker = [this](const Cursor& a, const Cursor& b) {
        const bool a_leads = a.following && &a == &cursors_[leading_];
        const bool b_leads = b.following && &b == &cursors_[leading_];
        if (a_leads != b_leads) return b_leads;
        return a.score < b.score;
    };
    *std::min_element(cursors_.begin(), cursors_.end(), weaker) = {
        .following = true, .at = position, .since = log_->end(), .score = 0};
}

// Whether it is the one that led before.
bool SequenceLearner::choose_leader() {
    const uint32_t led = leading_;
    for (uint32_t index = 0; index < cursors_.size(); ++index) {
        const Cursor& cursor = cursors_[index];
        if (!cursor.following) continue;
        const uint32_t needed =
            leading().following ? leading().score + score_one * lead_percent / 100 : 0;
        if (!leading().following || cursor.score > needed) leading_ = index;
    }
    return leading_ == led;
}

SequenceLearner::Step SequenceLearner::used(ChunkIndex chunk) {
    Step step;
    for (Cursor& cursor : cursors_) {
        if (!cursor.following) continue;
        if (!log_->holds(cursor.at)) {  // the log has forgotten the place
            cursor = {};
            continue;
        }
        cursor.score -= cursor.score >> score_shift;
        const auto found = find_ahead(cursor.at, chunk);
        if (!found) continue;
        if (&cursor == &cursors_[leading_])
            step = {.came_true = true, .first_left_out = cursor.at + 1, .found = *found};
        // One that has to leave something out each time follows another order of the same chunks.
        const bool is_next = *found == cursor.at + 1;
        cursor.score += (is_next ? score_one : score_one / 2) >> score_shift;
        cursor.at = *found;
    }
    drop_twins();
    if (!step.came_true) start_cursor(chunk);
    if (!choose_leader()) step = {};
    const uint32_t percent = confident_ ? kept_percent : trusted_percent;
    confident_ = leading().following && leading().score >= score_one / 100 * percent;
    return step;
}

std::optional<uint32_t> SequenceLearner::next_use(ChunkIndex chunk) const {
    CIUIC_CHECK(is_following());
    auto position = log_->last_of(chunk);
    if (!position || static_cast<int32_t>(*position - at()) <= 0) return std::nullopt;
    for (uint32_t step = 0; step < next_use_steps; ++step) {
        const auto before = log_->earlier(*position);
        if (!before || static_cast<int32_t>(*before - at()) <= 0) break;
        position = before;
    }
    return position;
}

size_t SequenceLearner::upcoming(std::span<ChunkIndex> chunks) const {
    if (!is_following()) return 0;
    size_t count = 0;
    while (count < chunks.size() && log_->holds(at() + 1 + static_cast<uint32_t>(count))) {
        chunks[count] = ChunkIndex{log_->at(at() + 1 + static_cast<uint32_t>(count)).chunk};
        ++count;
    }
    return count;
}

}  // namespace ciuic
