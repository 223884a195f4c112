// SPDX-License-Identifier: Apache-2.0
//
// Plan and start: policy's proposals become moves, as far as there is room.
#include "engine/engine.hpp"

#include <algorithm>
#include <array>

namespace ciuic {

namespace {

// Proposals asked for in one tick, when those before could not be taken.
constexpr uint32_t proposals_per_plan = 4;
// A session at its own limit keeps this many frames free.
constexpr uint32_t session_slack = 2;

}  // namespace

uint32_t Engine::evict_some(std::optional<SessionIndex> only, uint32_t wanted) {
    std::array<FrameIndex, limits::evictions_per_plan_max> victims;
    uint32_t started = 0;
    for (uint32_t round = 0; round < proposals_per_plan && started < wanted; ++round) {
        if (contenders_ > 1 && evicting_ >= limits::contended_evictions) return started;
        const size_t work = std::max(1u, work_left_ / limits::cost_of_close);
        const size_t room =
            std::min<size_t>({victims.size(), wanted - started, free_moves_.size(), work});
        const uint32_t taking_turns = only ? session_at(*only).frames_max : frames() - guaranteed_;
        const EvictionScope scope{taking_turns, only, find_sheltered()};
        const size_t count =
            eviction_.choose(frames_.facts(), scope, std::span(victims).first(room));
        for (size_t index = 0; index < count; ++index) {
            // It, or others of its session, may have been taken a moment ago.
            const Frame& cold = frames_[victims[index]];
            if (!cold.movable || (!only && is_sheltered(session_at(cold.owner.session)))) continue;
            if (!may_work()) return started;
            if (follows_declared(session_at(cold.owner.session))) {
                if (evict_declared(victims[index])) ++started;
            } else if (is_expected(cold.owner))
                eviction_.entered(victims[index], Entry::ahead);  // its turn is still to come
            else if (evict_by_rule(victims[index]))
                ++started;
        }
        if (count == 0) return started;
    }
    // What was proposed is pinned, most of it: others are proposed in a moment.
    if (started == 0) retry_wanted_ = true;
    return started;
}

// It was brought because its turn in the order is next, and the program has not come to it yet.
bool Engine::is_expected(ChunkRef chunk) {
    const Session& session = session_at(chunk.session);
    return is_untouched(record(chunk).state) && keeps_to_order(session) &&
           session.order->expects(chunk.chunk);
}

// Recency says whose frame is next; which of that session's it is, its own trial does.
bool Engine::evict_by_rule(FrameIndex cold) {
    const SessionIndex index = frames_[cold].owner.session;
    if (!options_.recency_only && session_at(index).trial.next() == EvictionRule::keep_old) {
        const auto newest = find_newest(index);
        if (newest && evict_followed(*newest, EvictionRule::keep_old)) {
            eviction_.stays_for(cold, *newest);
            return true;
        }
    }
    return frames_[cold].movable && evict_followed(cold, EvictionRule::recency);
}

std::optional<FrameIndex> Engine::find_newest(SessionIndex index) {
    Session& session = session_at(index);
    uint32_t awaited = session.wanted;
    for (const Move& move : moves_)
        if (move.stage != MoveStage::idle && move.chunk.session == index && move.touched) ++awaited;
    session.newest.awaited(awaited);
    const auto spared = session.newest.spared(session.frames);
    if (!spared) return std::nullopt;
    return arrivals_.newest_beyond(session.arrivals, *spared, frames_.facts());
}

bool Engine::evict_followed(FrameIndex frame, EvictionRule by) {
    const ChunkRef chunk = frames_[frame].owner;
    Session& session = session_at(chunk.session);
    // One that was prefetched for nothing says nothing about what the program uses.
    const bool was_used = !is_untouched(record(chunk).state);
    const uint32_t frames = session.frames;
    const uint32_t cost = cost_of_evict(chunk);
    if (!start_evict(chunk, Cause::pressure)) return false;
    did(cost);
    if (!was_used) return true;
    const EvictionRule ruled = session.trial.ruling();
    session.trial.left(by, chunk.chunk, frames);
    if (session.trial.ruling() != ruled) ++changes_to_[static_cast<size_t>(session.trial.ruling())];
    return true;
}

// Keeps a reserve of free frames, so that a fault never waits for an eviction. Each frame that is
// taken from it is made up for at once: the disk then writes while the program goes on to its next
// fault, and no fault waits behind several writes in a row.
bool Engine::plan_evictions() {
    uint32_t started = 0;
    const uint32_t coming = frames_.free() + evicting_;
    const uint32_t wanted = reserve_.frames(options_.free_frames);
    if (coming < wanted) started += evict_some(std::nullopt, wanted - coming);

    for (uint32_t turn = 0; turn < sessions_end_; ++turn) {
        const uint32_t index = (next_giving_up_ + turn) % sessions_end_;
        const Session* session = sessions_[index].get();
        if (!session || session->frames_max >= frames()) continue;
        // A session at its own limit gives up its own chunks, whatever the device has free.
        const uint32_t staying = session->frames - session->evicting;
        if (session->wanted > 0 && staying + session_slack > session->frames_max)
            started +=
                evict_some(SessionIndex{index}, staying + session_slack - session->frames_max);
    }
    return started > 0;
}

void Engine::tell_use(ChunkRef chunk, bool is_write) {
    if (ports_.witness) ports_.witness->used(chunk, is_write, ports_.clock.now());
}

void Engine::note_touch(ChunkRef chunk, bool is_write) {
    tell_use(chunk, is_write);
    Session& session = session_at(chunk.session);
    if (session.declared) {
        session.declared->used(chunk.chunk, frames_to_fill(session));
        return;
    }
    session.order->touched(chunk.chunk);
    const PrefetchProposal proposal = session.streams.touched(chunk.chunk, session.end_chunk);
    if (proposal.count == 0) return;
    // What was proposed before and could not start yet comes before what goes on from there.
    PrefetchProposal& ahead = session.ahead;
    const int64_t behind = static_cast<int64_t>(ahead.first.value) +
                           static_cast<int64_t>(ahead.step) * static_cast<int64_t>(ahead.count);
    if (ahead.count > 0 && ahead.step == proposal.step && behind == proposal.first.value)
        ahead.count += proposal.count;
    else
        ahead = proposal;
}

// An order that is known by heart tells more than neighbours do. A program that wants single blocks
// is not helped by whole chunks in whatever order.
bool Engine::keeps_to_order(const Session& session) const {
    const bool takes_blocks = has_sparse_ || pieces_.pieces() > 0;
    return session.order->is_leading() && !(takes_blocks && session.lone.is_lone());
}

// The chunk that is expected next and was not asked for yet.
std::optional<ChunkIndex> Engine::next_ahead(const Session& session) const {
    if (options_.prefetch_chunks_max == 0 || session.closing) return std::nullopt;
    if (keeps_to_order(session)) return session.order->proposal();
    if (session.ahead.count == 0) return std::nullopt;
    return session.ahead.first;
}

// It is on its way now, or need not be.
void Engine::pass_ahead(Session& session, bool brought) {
    if (keeps_to_order(session)) return session.order->pass(brought);
    PrefetchProposal& ahead = session.ahead;
    ahead.first =
        ChunkIndex{static_cast<uint32_t>(static_cast<int64_t>(ahead.first.value) + ahead.step)};
    --ahead.count;
}

bool Engine::has_prefetch_room(const Session& session) const {
    return opens_left_ > 0 && frames_.free() > std::max(1u, options_.free_frames / 4) &&
           free_moves_.size() > limits::moves_for_demand &&
           session.frames + session_slack < session.frames_max && may_read(session);
}

// Zeros save little beside an eviction: they come ahead only into frames that nobody needs.
bool Engine::has_room_for_zeros() const { return frames_.free() > options_.free_frames; }

// The next chunk of its order or stream that is not here; zeros for one that has no bytes yet.
bool Engine::start_prefetch_of(SessionIndex index) {
    Session& session = session_at(index);
    while (has_prefetch_room(session)) {
        const auto next = next_ahead(session);
        if (!next) return false;
        const ChunkRef chunk{index, *next};
        const bool is_empty = record(chunk).state == ChunkState::empty;
        const bool is_coming = is_empty ? has_room_for_zeros() : is_fetchable(record(chunk).state);
        const bool is_here = !is_coming || (record(chunk).flags & ChunkFlags::wanted);
        if (!is_here &&
            !(is_empty ? start_fill(chunk, Cause::prefetch) : start_fetch(chunk, Cause::prefetch)))
            return false;
        const bool in_order = keeps_to_order(session);
        pass_ahead(session, !is_here);
        if (is_here) continue;
        if (is_empty) return true;
        ++session.stats.prefetches;
        if (in_order) ++session.stats.prefetches_in_order;
        return true;
    }
    return false;
}

}  // namespace ciuic
