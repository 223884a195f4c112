// SPDX-License-Identifier: Apache-2.0
#include "policy/eviction_trial.hpp"

#include <algorithm>

namespace ciuic {

namespace {

// A victim is followed for as many evictions as turn the frames over so often: a set of up to five
// times the frames comes round within it.
constexpr uint32_t turnovers = 4;
// One of so many evictions is the other rule's; fewer where more could not be followed.
// At first it is a quarter: a set twice the frames in random order shows what it is in the first
// half of a pass alone, and with an eighth a third of them were not known after two passes.
constexpr uint32_t tried_of_first = 4;
constexpr uint32_t tried_of_later = 16;
constexpr uint32_t first_pairs = limits::victims_followed / 2;
// What the other rule has to have more away for a lead, as a part of all: a tie is recency's.
constexpr int64_t handicap_of_keep_old = 12;
constexpr int64_t handicap_of_recency = 32;

}  // namespace

EvictionRule EvictionTrial::other() const {
    return ruling_ == EvictionRule::recency ? EvictionRule::keep_old : EvictionRule::recency;
}

EvictionRule EvictionTrial::next() const {
    if (rest_ > 0) return ruling_;
    return second_ ? *second_ : other();
}

void EvictionTrial::left(EvictionRule by, ChunkIndex chunk, uint32_t frames) {
    ++evictions_;
    while (followed_ > 0 && evictions_ - victims_[first_].left_at > turnovers * frames)
        forget_oldest();
    if (rest_ > 0) {
        --rest_;
    } else if (by == next()) {
        follow(by, chunk);
        if (second_) {
            second_.reset();
            const uint32_t tried_of = ++pairs_ < first_pairs ? tried_of_first : tried_of_later;
            const uint32_t spread = turnovers * frames / (limits::victims_followed / 2);
            rest_ = std::max(tried_of, spread) - 2;
        } else {
            second_ = ruling_;
        }
    }
    judge(frames);
}

void EvictionTrial::follow(EvictionRule by, ChunkIndex chunk) {
    if (followed_ == victims_.size()) forget_oldest();
    victims_[(first_ + followed_) % victims_.size()] = {
        .chunk = chunk.value, .left_at = evictions_, .by = by, .away = true};
    ++followed_;
    ++away_[static_cast<size_t>(by)];
}

void EvictionTrial::forget_oldest() {
    const Victim& victim = victims_[first_];
    if (victim.away) --away_[static_cast<size_t>(victim.by)];
    first_ = (first_ + 1) % static_cast<uint32_t>(victims_.size());
    --followed_;
}

EvictionTrial::Victim* EvictionTrial::find(ChunkIndex chunk) {
    for (uint32_t index = 0; index < followed_; ++index) {
        Victim& victim = victims_[(first_ + index) % victims_.size()];
        if (victim.chunk == chunk.value && victim.away) return &victim;
    }
    return nullptr;
}

void EvictionTrial::came_back(ChunkIndex chunk) {
    Victim* const victim = find(chunk);
    if (!victim) return;
    victim->away = false;
    --away_[static_cast<size_t>(victim->by)];
}

void EvictionTrial::given_up(ChunkIndex chunk) {
    if (Victim* const victim = find(chunk)) victim->chunk = none_index;
}

// A lead counts for as long as it lasts, and one that comes and goes for nothing: what a few
// victims happen to do decides nothing, and a rule that has gone wrong is left within a turnover or
// two. Once there has been time to learn, what recency loses it loses to twice as much.
void EvictionTrial::judge(uint32_t frames) {
    const auto kept_old = static_cast<int64_t>(away(EvictionRule::keep_old));
    const auto recency = static_cast<int64_t>(away(EvictionRule::recency));
    if (ruling_ == EvictionRule::recency)
        lead_ += kept_old - recency - (kept_old + recency) / handicap_of_keep_old;
    else
        lead_ += recency - kept_old - (kept_old + recency) / handicap_of_recency;
    lead_ = std::max<int64_t>(lead_, 0);
    const bool is_later = ruling_ == EvictionRule::recency && pairs_ >= first_pairs;
    if (lead_ < int64_t{frames} * (is_later ? 2 : 1)) return;
    ruling_ = other();
    lead_ = 0;
}

}  // namespace ciuic
