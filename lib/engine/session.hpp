// SPDX-License-Identifier: Apache-2.0
//
// What the engine keeps about one session.
#pragma once

#include "base/mapping.hpp"
#include "engine/access_log.hpp"
#include "engine/ports.hpp"
#include "engine/stats.hpp"
#include "policy/adaptive_eviction.hpp"
#include "policy/arrival_order.hpp"
#include "policy/eviction_trial.hpp"
#include "policy/fair_queue.hpp"
#include "policy/lone_touches.hpp"
#include "policy/newest_window.hpp"
#include "policy/order_prefetch.hpp"
#include "policy/stream_prefetch.hpp"
#include "residency/chunk_table.hpp"

#include <array>
#include <optional>

namespace ciuic {

enum class RequestKind : uint8_t;

// A request under way.
struct Waiter {
    bool active = false;
    RequestKind kind{};
    uint32_t first = 0;
    uint32_t end = 0;
    uint32_t checked = 0;  // chunks before it were found to belong to a region, or to none
    uint32_t cursor = 0;   // chunks before it have been asked to move
    uint32_t settled = 0;  // chunks before it have arrived
    uint64_t ticket = 0;
    Nanos started;
};

struct Session {
    ChunkTable chunks;
    SharedWords words;
    uint64_t realm = 0;
    uint32_t chunks_max = 0;
    uint32_t frames_max = 0;
    uint32_t frames_guaranteed = 0;  // others' needs take none of these
    uint32_t end_chunk = 0;          // one past the last chunk that was ever promised
    uint32_t promised = 0;
    uint32_t frames = 0;                 // held now, moves included
    uint32_t moves = 0;                  // under way
    uint32_t evicting = 0;               // of these, evictions
    uint32_t waiting = 0;                // active waiters
    uint32_t prefetching = 0;            // of these, prefetches
    uint32_t reserved = 0;               // counted in `promised`, of promises that go on
    bool promising = false;              // a promise goes on, a part at a time
    uint32_t looks_left = 0;             // of this turn
    uint32_t wanted_first = none_index;  // queue through ChunkRecord::next_wanted
    uint32_t wanted_last = none_index;
    uint32_t wanted = 0;  // its length
    FairQueue::Share disk;
    uint64_t reading_bytes = 0;       // on their way in from the store
    uint64_t reading_slow_bytes = 0;  // of these, from its slower part
    Nanos read_at{};                  // when the last of them was started
    bool is_stuck = false;            // has nothing left to start in this tick
    bool closing = false;
    uint32_t closing_cursor = 0;
    StreamPrefetch streams;
    PrefetchProposal ahead;  // of the streams, what is still to be prefetched
    Mapping order_memory;
    std::optional<OrderPrefetch> order;  // none only while the session is being made
    // Of a session that declares its uses; such a one is served by this alone, not by what follows
    // misses (order, streams, newest, trial).
    Mapping declared_memory;
    std::optional<AdaptiveEviction> declared;
    AccessLogReader uses;
    uint32_t undeclared = 0;  // uses that it has to declare until its word is believed again
    LoneTouches lone;
    ArrivalList arrivals;  // of the chunks in its frames
    NewestWindow newest;
    EvictionTrial trial;
    std::array<Waiter, limits::waiters_per_session_max> waiters{};
    SessionStats stats;
};

}  // namespace ciuic
