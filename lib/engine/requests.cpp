// SPDX-License-Identifier: Apache-2.0
//
// Requests: what clients ask for and wait for. Each waits in its session's fixed table and advances
// by a bounded amount per tick.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

namespace {

// Chunks that one request has moved in one tick.
constexpr uint32_t chunks_per_turn = 16;

}  // namespace

Status Engine::request(SessionIndex index, RequestKind kind, ChunkRange range, uint64_t ticket) {
    Session& session = session_at(index);
    if (session.closing) return Error{Errc::disconnected, 0, "the session is ending"};
    if (!is_valid(index, range))
        return Error{Errc::range, 0, "the range leaves the session's address space"};
    const uint32_t reserve = std::min(options_.free_frames, session.frames_max / 2);
    if (kind == RequestKind::acquire && range.count > session.frames_max - reserve)
        return Error{Errc::no_memory, 0, "the range is larger than the session's device memory"};
    const uint32_t first = range.first.value;
    const uint32_t end = first + range.count;
    const bool is_short = kind != RequestKind::promise && range.count <= limits::looks_min;
    for (uint32_t chunk = first; is_short && chunk < end; ++chunk)
        if (session.chunks[ChunkIndex{chunk}].state == ChunkState::vacant)
            return Error{Errc::invalid, 0, "a chunk of the range belongs to no region"};
    const auto waiter = std::find_if(session.waiters.begin(), session.waiters.end(),
                                     [](const Waiter& entry) { return !entry.active; });
    if (waiter == session.waiters.end())
        return Error{Errc::busy, 0, "too many requests are waiting"};
    const bool promises = kind == RequestKind::promise;
    if (promises && session.promising)
        return Error{Errc::busy, 0, "another promise of the session goes on"};
    if (promises) CIUIC_TRY_STATUS(reserve_promises(session, range.count));
    *waiter = {.active = true,
               .kind = kind,
               .first = first,
               .end = end,
               .checked = is_short ? end : first,
               .cursor = first,
               .settled = first,
               .ticket = ticket,
               .started = ports_.clock.now()};
    ++session.waiting;
    if (kind == RequestKind::prefetch) ++session.prefetching;
    if (promises) session.promising = true;
    return {};
}

void Engine::complete(SessionIndex index, Waiter& waiter, Errc result) {
    Session& session = session_at(index);
    CIUIC_CHECK(waiter.active && session.waiting > 0);
    waiter.active = false;
    --session.waiting;
    if (waiter.kind == RequestKind::prefetch) --session.prefetching;
    if (waiter.kind == RequestKind::promise) {
        release_promises(session, waiter.end - waiter.settled);
        session.promising = false;
    }
    ports_.clients.completed(index, waiter.ticket, result);
}

bool Engine::advance_requests() {
    bool advanced = false;
    const uint32_t count = std::max(1u, sessions_end_);
    next_giving_up_ = (next_giving_up_ + 1) % count;
    for (uint32_t turn = 0; turn < sessions_end_; ++turn) {
        const uint32_t index = (next_giving_up_ + turn) % count;
        if (!sessions_[index] || sessions_[index]->waiting == 0) continue;
        for (Waiter& waiter : sessions_[index]->waiters)
            if (waiter.active) advanced |= advance_request(SessionIndex{index}, waiter);
    }
    return advanced;
}

bool Engine::advance_request(SessionIndex index, Waiter& waiter) {
    if (waiter.kind == RequestKind::promise) return advance_promise(index, waiter);
    if (waiter.checked < waiter.end && !check_range(index, waiter)) return true;
    switch (waiter.kind) {
    case RequestKind::promise:
    case RequestKind::acquire: return advance_acquire(index, waiter);
    case RequestKind::prefetch: return false;  // in its session's turn: sharing.cpp
    case RequestKind::evict: return advance_evict(index, waiter);
    case RequestKind::clear:
    case RequestKind::discard: return advance_giving_up(index, waiter);
    }
    return false;
}

// Whether all of it belongs to regions, as far as one turn can tell. False: not yet, or the request
// has ended.
bool Engine::check_range(SessionIndex index, Waiter& waiter) {
    Session& session = session_at(index);
    while (waiter.checked < waiter.end && may_look(session)) {
        if (session.chunks[ChunkIndex{waiter.checked}].state == ChunkState::vacant) {
            complete(index, waiter, Errc::invalid);
            return false;
        }
        ++waiter.checked;
    }
    return waiter.checked == waiter.end;
}

// First all chunks are looked at, then they are promised; what was vacant stays so in between,
// since a session has one promise at a time that goes on.
bool Engine::advance_promise(SessionIndex index, Waiter& waiter) {
    Session& session = session_at(index);
    for (; waiter.checked < waiter.end && may_look(session); ++waiter.checked) {
        if (session.chunks.allows(ChunkIndex{waiter.checked}, ChunkEvent::promise)) continue;
        complete(index, waiter, Errc::invalid);
        return true;
    }
    if (waiter.checked < waiter.end) return true;
    while (waiter.settled < waiter.end && may_look(session)) {
        const ChunkRef chunk{index, ChunkIndex{waiter.settled}};
        lift_poison(chunk);
        apply(chunk, ChunkEvent::promise);
        --session.reserved;
        session.end_chunk = std::max(session.end_chunk, ++waiter.settled);
    }
    if (waiter.settled < waiter.end) return true;
    if (ports_.witness)
        ports_.witness->promised(index, ChunkIndex{waiter.first}, waiter.end - waiter.first);
    complete(index, waiter, Errc::ok);
    return true;
}

bool Engine::advance_acquire(SessionIndex index, Waiter& waiter) {
    const uint32_t before = waiter.cursor;
    Session& session = session_at(index);
    const ChunkTable& chunks = session.chunks;
    while (waiter.cursor < waiter.end &&
           chunks[ChunkIndex{waiter.cursor}].state == ChunkState::resident && may_look(session))
        ++waiter.cursor;
    if (waiter.cursor == waiter.end) {
        complete(index, waiter, Errc::ok);
        return true;
    }
    const ChunkState state = chunks[ChunkIndex{waiter.cursor}].state;
    if (state == ChunkState::lost || state == ChunkState::vacant) {
        complete(index, waiter, state == ChunkState::lost ? Errc::data_lost : Errc::invalid);
        return true;
    }
    if (ports_.clock.now() - waiter.started >= options_.frame_deadline) {
        complete(index, waiter, Errc::timed_out);
        return true;
    }
    const uint32_t end = std::min(waiter.end, waiter.cursor + chunks_per_turn);
    for (uint32_t chunk = waiter.cursor; chunk < end; ++chunk)
        acquire_chunk({index, ChunkIndex{chunk}});
    return waiter.cursor != before;
}

void Engine::acquire_chunk(ChunkRef chunk) {
    const ChunkRecord& facts = record(chunk);
    switch (facts.state) {
    case ChunkState::empty:
    case ChunkState::stored:
    case ChunkState::scattered:
    case ChunkState::sparse:
        if (facts.flags & ChunkFlags::wanted) return;
        want(chunk, 0, false, Cause::acquire);
        if (!session_at(chunk.session).declared) note_touch(chunk, false);
        break;
    case ChunkState::ready:
    case ChunkState::zeroed:
        if (!may_work()) break;
        if (show_untouched(chunk, false))
            did(limits::cost_of_show);
        else
            want(chunk, 0, false, Cause::acquire);
        break;
    case ChunkState::filling:
    case ChunkState::fetching:
    case ChunkState::evicting:
    case ChunkState::scattering:
    case ChunkState::gathering:
    case ChunkState::growing: touch_moving(chunk, false); break;
    default: break;
    }
}

bool Engine::advance_giving_up(SessionIndex index, Waiter& waiter) {
    Session& session = session_at(index);
    const ChunkTable& chunks = session.chunks;
    const uint32_t end = std::min(waiter.end, waiter.cursor + chunks_per_turn);
    bool advanced = waiter.cursor < end;
    for (; waiter.cursor < end && may_give_up({index, ChunkIndex{waiter.cursor}}); ++waiter.cursor)
        give_up({index, ChunkIndex{waiter.cursor}}, waiter.kind == RequestKind::clear);
    while (waiter.settled < waiter.cursor &&
           !(chunks[ChunkIndex{waiter.settled}].flags & ChunkFlags::doomed) && may_look(session)) {
        ++waiter.settled;
        advanced = true;
    }
    if (waiter.settled == waiter.end) complete(index, waiter, Errc::ok);
    return advanced;
}

bool Engine::advance_evict(SessionIndex index, Waiter& waiter) {
    Session& session = session_at(index);
    const ChunkTable& chunks = session.chunks;
    bool advanced = false;
    for (uint32_t turn = 0; turn < chunks_per_turn && waiter.cursor < waiter.end; ++turn) {
        if (free_moves_.size() <= limits::moves_for_demand) break;
        // Whoever reads meanwhile waits behind these writes.
        if (contenders_ > 1 && evicting_ >= limits::contended_requested_evictions) break;
        if (!may_work()) break;
        const ChunkRef chunk{index, ChunkIndex{waiter.cursor}};
        const uint32_t cost = cost_of_evict(chunk);
        if (start_evict(chunk, Cause::request)) did(cost);
        ++waiter.cursor;
        advanced = true;
    }
    while (waiter.settled < waiter.cursor &&
           chunks[ChunkIndex{waiter.settled}].state != ChunkState::evicting &&
           chunks[ChunkIndex{waiter.settled}].state != ChunkState::scattering &&
           may_look(session)) {
        ++waiter.settled;
        advanced = true;
    }
    if (waiter.settled == waiter.end) complete(index, waiter, Errc::ok);
    return advanced;
}

// The next chunk that a program asked for ahead of need. False: none can be started now.
bool Engine::start_requested_prefetch(SessionIndex index) {
    for (Waiter& waiter : session_at(index).waiters)
        if (waiter.active && waiter.kind == RequestKind::prefetch && waiter.checked == waiter.end &&
            advance_prefetch(index, waiter))
            return true;
    return false;
}

bool Engine::advance_prefetch(SessionIndex index, Waiter& waiter) {
    Session& session = session_at(index);
    for (; waiter.cursor < waiter.end; ++waiter.cursor) {
        const ChunkRecord& facts = session.chunks[ChunkIndex{waiter.cursor}];
        if (is_fetchable(facts.state) && !(facts.flags & ChunkFlags::wanted)) break;
        if (!may_look(session)) return false;
    }
    if (waiter.cursor < waiter.end) {
        const ChunkRef chunk{index, ChunkIndex{waiter.cursor}};
        if (has_prefetch_room(session) && start_fetch(chunk, Cause::prefetch)) {
            ++session.stats.prefetches;
            ++waiter.cursor;
            return true;
        }
        // Out of moves, of this turn's share or of the disk's time is a matter of moments; out of
        // frames is an answer.
        const bool goes_on = free_moves_.size() <= limits::moves_for_demand || opens_left_ == 0 ||
                             !may_read(session);
        if (goes_on) return false;
    }
    complete(index, waiter, Errc::ok);
    return true;
}

bool Engine::advance_closings() {
    bool advanced = false;
    const uint32_t count = sessions_end_;
    for (uint32_t turn = 0; turn < count; ++turn) {
        const uint32_t index = (next_giving_up_ + turn) % count;
        if (sessions_[index] && sessions_[index]->closing)
            advanced |= advance_closing(SessionIndex{index});
    }
    return advanced;
}

// Gives up every chunk of an ending session, then waits for its last move: I/O that is under way
// still owns its buffers.
bool Engine::advance_closing(SessionIndex index) {
    Session& session = session_at(index);
    const bool advanced = session.closing_cursor < session.end_chunk;
    while (session.closing_cursor < session.end_chunk &&
           may_give_up({index, ChunkIndex{session.closing_cursor}}))
        give_up({index, ChunkIndex{session.closing_cursor++}}, false);
    if (session.closing_cursor < session.end_chunk || session.moves > 0) return advanced;
    CIUIC_CHECK(session.frames == 0 && session.promised == 0 && session.reading_bytes == 0);
    guaranteed_ -= session.frames_guaranteed;
    ports_.device.detach(index);
    past_.add(session.stats);
    sessions_[index.value].reset();
    while (sessions_end_ > 0 && !sessions_[sessions_end_ - 1]) --sessions_end_;
    ports_.clients.closed(index);
    return true;
}

}  // namespace ciuic
