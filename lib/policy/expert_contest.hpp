// SPDX-License-Identifier: Apache-2.0
//
// Expert contest: whose directory is followed, recency's, frequency's or the future's.
//
// Of the two general experts, the one that has missed less for long enough takes over: by a quarter
// of the frames, which is what changing over costs at worst. The future's leads as soon as the
// learner is confident and as long as it stays so; only where it still loses by as many misses as
// there are frames it is not believed.
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

    void used(const Hits& hits, bool is_confident, uint32_t frames) {
        const bool follows_frequency = general_ == Expert::frequency;
        const bool general_hit = follows_frequency ? hits.frequency : hits.recency;
        const bool other_hit = follows_frequency ? hits.recency : hits.frequency;
        if (gains(lead_of_other_, other_hit, general_hit, std::max(lead_min, frames / 4)))
            general_ = follows_frequency ? Expert::recency : Expert::frequency;

        if (is_confident != was_confident_) {
            if (follows_future_ != is_confident) lead_of_change_ = 0;
            follows_future_ = was_confident_ = is_confident;
        }
        const bool ours = follows_future_ ? hits.future : general_hit;
        const bool theirs = follows_future_ ? general_hit : hits.future;
        if (gains(lead_of_change_, theirs, ours, std::max(lead_min, frames)))
            follows_future_ = !follows_future_;
    }

private:
    static constexpr uint32_t lead_min = 16;

    // True, and from zero again, when the other one's lead is large enough.
    static bool gains(uint32_t& lead, bool theirs, bool ours, uint32_t needed) {
        if (theirs && !ours) ++lead;
        if (ours && !theirs && lead > 0) --lead;
        if (lead < needed) return false;
        lead = 0;
        return true;
    }

    Expert general_ = Expert::recency;
    bool follows_future_ = false;
    bool was_confident_ = false;
    uint32_t lead_of_other_ = 0;   // of the general expert that is not followed
    uint32_t lead_of_change_ = 0;  // of the future's over the general one, or the other way round
};

}  // namespace ciuic
