// SPDX-License-Identifier: Apache-2.0
//
// Eviction trial: which of two rules chooses the chunks of one session that leave.
//
//   recency   what has not come in or been touched for long goes (clock_eviction.hpp)
//   keep_old  what came in last goes, but for the newest few (arrival_order.hpp)
//
// A program whose needs move on is served by recency. One that goes through more than fits, over
// and over, in whatever order, is served by keep_old: recency throws each chunk out just before its
// turn comes.
//
// Touches of what is here are not seen; what is seen is when a chunk that left comes back, and the
// best victim is the one that stays away longest (Belady). So a small part of the evictions is
// always left to the rule that does not rule, and in pairs of one victim each both rules' are
// followed. The rule of which more are still away has the better ones: as many leave by each, so
// that the number away is in proportion to how long they stay. What has been away for several
// turnovers of the frames is followed no further, so that what a program did long ago does not
// count for ever.
//
// Not here: the rules themselves.
// Threads: one. Pure: no clock, randomness, I/O or allocation.
#pragma once

#include "limits.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace ciuic {

enum class EvictionRule : uint8_t { recency, keep_old };

class EvictionTrial {
public:
    // The rule that most evictions go by.
    EvictionRule ruling() const { return ruling_; }
    // The rule of the next eviction. What it names may be impossible; left() says what was done.
    EvictionRule next() const;

    // The chunk was evicted by this rule, from among so many frames.
    void left(EvictionRule by, ChunkIndex chunk, uint32_t frames);
    // The program wants the chunk again; it need not be one that is followed.
    void came_back(ChunkIndex chunk);
    // The program gave the chunk's bytes up: they never come back, whatever comes in their place.
    void given_up(ChunkIndex chunk);

    // How many of the victims that are followed have not come back.
    uint32_t away(EvictionRule rule) const { return away_[static_cast<size_t>(rule)]; }

private:
    struct Victim {
        uint32_t chunk = none_index;  // none_index: never comes back
        uint32_t left_at = 0;         // in evictions of the session
        EvictionRule by{};
        bool away = false;
    };

    EvictionRule other() const;
    void follow(EvictionRule by, ChunkIndex chunk);
    void forget_oldest();
    Victim* find(ChunkIndex chunk);
    void judge(uint32_t frames);

    std::array<Victim, limits::victims_followed> victims_{};  // a ring
    uint32_t first_ = 0;                                      // the oldest in it
    uint32_t followed_ = 0;
    std::array<uint32_t, 2> away_{};
    uint32_t evictions_ = 0;  // wraps; only differences count
    uint32_t pairs_ = 0;
    uint32_t rest_ = 0;                   // evictions until the next pair
    std::optional<EvictionRule> second_;  // whose victim the pair still lacks
    EvictionRule ruling_ = EvictionRule::recency;
    int64_t lead_ = 0;  // of the other rule, summed over the evictions
};

}  // namespace ciuic
