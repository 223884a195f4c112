// SPDX-License-Identifier: Apache-2.0
//
// Sessions that declare their uses: hits are known too, so that one policy sees all there is to
// see, says what leaves, and what comes ahead while an order is known.
//
// A program that touches what it has not declared is not known in full. Recency chooses for it
// then, which leaves what was touched a moment ago alone, until it has declared as many uses as
// there are frames.
//
// What comes ahead is shown as soon as it is there: the program that declares its uses does not
// touch what it has not declared, and a hit then takes no turn of the engine.
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

namespace {

// Victims looked at for one that is in no use.
constexpr uint32_t victims_looked_at = 8;

}  // namespace

bool Engine::drain_declared() {
    bool any = false;
    for (uint32_t index = 0; index < sessions_end_; ++index) {
        if (!sessions_[index] || !sessions_[index]->declared || sessions_[index]->closing) continue;
        uint32_t taken = 0;
        for (; taken < limits::declared_uses_per_turn; ++taken) {
            const auto use = sessions_[index]->uses.next();
            if (!use) break;
            note_declared(SessionIndex{index}, *use);
        }
        if (taken == limits::declared_uses_per_turn) more_ = true;
        any |= taken > 0;
    }
    return any;
}

// The use is a client's word: a chunk that is nobody's says nothing.
void Engine::note_declared(SessionIndex index, const DeclaredUse& use) {
    Session& session = session_at(index);
    if (use.chunk >= session.chunks.chunks()) return;
    const ChunkRef chunk{index, ChunkIndex{use.chunk}};
    const ChunkState state = record(chunk).state;
    if (state == ChunkState::vacant) return;
    tell_use(chunk, use.is_write);
    if (session.undeclared > 0) --session.undeclared;
    if (session.declared->is_ahead(chunk.chunk)) ++session.stats.prefetches_used;
    session.declared->used(chunk.chunk, frames_to_fill(session));
    if (state == ChunkState::resident) note_use(chunk);
}

// As many as the session has when the reserve of free frames is full.
uint32_t Engine::frames_to_fill(const Session& session) const {
    const uint32_t reserve = reserve_.frames(options_.free_frames);
    const uint32_t has = session.frames - session.evicting + frames_.free() + evicting_;
    const uint32_t most = session.frames_max > reserve ? session.frames_max - reserve : 1;
    return std::clamp(has > reserve ? has - reserve : 1, 1u, most);
}

// False: what was looked at is in use. `cold`: recency's choice, where the policy has none.
bool Engine::evict_declared(FrameIndex cold) {
    const SessionIndex index = frames_[cold].owner.session;
    AdaptiveEviction& policy = *session_at(index).declared;
    for (uint32_t looked = 0; looked < victims_looked_at; ++looked) {
        const auto victim = policy.victim();
        if (!victim) break;
        if (evict_now({index, *victim})) return true;
        policy.spared(*victim);
    }
    for (uint32_t looked = 0; looked < victims_looked_at; ++looked) {
        const auto victim = policy.furthest_victim();
        if (!victim) return frames_[cold].movable && evict_now(frames_[cold].owner);
        if (evict_now({index, *victim})) return true;
    }
    return false;
}

bool Engine::evict_now(ChunkRef chunk) {
    const uint32_t cost = cost_of_evict(chunk);
    if (!has_frame(record(chunk).state) || !start_evict(chunk, Cause::pressure)) return false;
    did(cost);
    return true;
}

// The next chunk of the order that the policy wants here before its use. The slower part of the
// store is kept at work beside the faster one.
bool Engine::bring_declared(SessionIndex index) {
    Session& session = session_at(index);
    if (options_.prefetch_chunks_max == 0 || session.closing) return false;
    constexpr uint64_t at_once = limits::fetches_ahead_at_once;
    const uint64_t fast_bytes = session.reading_bytes - session.reading_slow_bytes;
    return (session.reading_slow_bytes < at_once * chunk_bytes_ && bring_declared(index, true)) ||
           (fast_bytes < at_once * chunk_bytes_ && bring_declared(index, false));
}

bool Engine::bring_declared(SessionIndex index, bool slow) {
    Session& session = session_at(index);
    AdaptiveEviction& policy = *session.declared;
    while (has_prefetch_room(session)) {
        const auto next = policy.next_to_bring(slow);
        if (!next) return false;
        const ChunkRef chunk{index, *next};
        const ChunkRecord& facts = record(chunk);
        const bool is_here = facts.state == ChunkState::fetching || has_frame(facts.state);
        const bool can_come =
            !(facts.flags & ChunkFlags::wanted) &&
            (facts.state == ChunkState::empty || facts.state == ChunkState::stored);
        if (is_here && facts.state != ChunkState::evicting) {
            policy.brought(*next);
        } else if (can_come) {
            return bring(chunk);
        } else {
            policy.passed_over(*next);
        }
    }
    return false;
}

bool Engine::bring(ChunkRef chunk) {
    Session& session = session_at(chunk.session);
    const bool is_empty = record(chunk).state == ChunkState::empty;
    if (!(is_empty ? start_fill(chunk, Cause::prefetch) : start_fetch(chunk, Cause::prefetch)))
        return false;
    session.declared->brought(chunk.chunk);
    if (is_empty) return true;
    ++session.stats.prefetches;
    ++session.stats.prefetches_in_order;
    return true;
}

}  // namespace ciuic
