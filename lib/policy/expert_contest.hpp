// SPDX-License-Identifier: Apache-2.0
//
// Expert contest: whose directory is followed, recency's, frequency's or the future's.
//
// Of the two general experts, the one that has missed less for long enough takes over: by a quarter
// of the frames, which is what changing over costs at worst. The future's leads while the learner
// is confident, once its order has lasted for a quarter of the frames; only where it still loses by
// as many misses as there are frames it is not believed. Each time that its lead ends before it has
// paid for changing over and back, the next order has to last twice as long; after one that has
// paid many times over, a sixteenth of the frames is enough.
//
// A lead counts from the moment when the two were last equal, so that which expert happens to hit
// in which part of a period decides nothing.
//
// Threads: one. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ciuic {

enum class Expert : uint8_t { recency, frequency, future };

class ExpertContest {
public:
    struct Hits {
        bool recency;
        bool frequency;
        bool future;
    };

    Expert leading() const { return follows_future_ ? Expert::future : general_; }

    // order_lasts: uses for which the learner has followed an order; 0: it is not confident.
    void used(const Hits& hits, uint32_t order_lasts, uint32_t frames) {
        const bool follows_frequency = general_ == Expert::frequency;
        const bool general_hit = follows_frequency ? hits.frequency : hits.recency;
        const bool other_hit = follows_frequency ? hits.recency : hits.frequency;
        const uint32_t needed = std::max(lead_min, frames / 4) * patience_with_general_;
        ++led_for_;
        if (gains(lead_of_other_, other_hit, general_hit, needed)) {
            general_ = follows_frequency ? Expert::recency : Expert::frequency;
            const bool was_short = led_for_ < uint64_t{lead_pays_after} * frames;
            patience_with_general_ =
                was_short ? std::min(2 * patience_with_general_, general_patience_max)
                          : std::max(1u, patience_with_general_ / 2);
            led_for_ = 0;
        }

        const bool has_order = order_lasts > 0 && order_lasts >= uint64_t{frames} / 16 * patience_;
        if (has_order) ++had_order_for_;
        if (has_order != had_order_) {
            if (!has_order) {
                if (had_order_for_ < frames)
                    patience_ = std::min(2 * patience_, patience_max);
                else
                    patience_ = had_order_for_ < 8 * uint64_t{frames} ? patience_usual : 1;
                had_order_for_ = 0;
            }
            if (follows_future_ != has_order) lead_of_change_ = 0;
            follows_future_ = had_order_ = has_order;
        }
        const bool ours = follows_future_ ? hits.future : general_hit;
        const bool theirs = follows_future_ ? general_hit : hits.future;
        if (gains(lead_of_change_, theirs, ours, std::max(lead_min, frames)))
            follows_future_ = !follows_future_;
    }

private:
    static constexpr uint32_t lead_min = 16;
    // Sixteenths of the frames that an order has to last for.
    static constexpr uint32_t patience_usual = 4;
    static constexpr uint32_t patience_max = 256;
    static constexpr uint32_t general_patience_max = 8;
    static constexpr uint32_t lead_pays_after = 8;  // uses for each frame

    // True, and from zero again, when the other one's lead is large enough.
    static bool gains(uint32_t& lead, bool theirs, bool ours, uint32_t needed) {
        if (theirs && !ours) ++lead;
        if (ours && !theirs && lead > 0) --lead;
        if (lead < needed) return false;
        lead = 0;
        return true;
    }

    Expert general_ = Expert::recency;
    uint64_t led_for_ = 0;  // uses
    uint32_t patience_with_general_ = 1;
    bool follows_future_ = false;
    bool had_order_ = false;
    uint32_t had_order_for_ = 0;
    uint32_t patience_ = patience_usual;
    uint32_t lead_of_other_ = 0;   // of the general expert that is not followed
    uint32_t lead_of_change_ = 0;  // of the future's over the general one, or the other way round
};

}  // namespace ciuic
