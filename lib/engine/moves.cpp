// SPDX-License-Identifier: Apache-2.0
//
// What all moves share: their records, the frame and place of a chunk, and what happens when a
// chunk is given up.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

bool Engine::may_take_frame(const Session& session) const {
    if (session.frames >= session.frames_max || free_moves_.empty()) return false;
    // The last free frames are for those who have less than they are guaranteed.
    const bool has_its_part = guaranteed_ > 0 && session.frames >= session.frames_guaranteed;
    return frames_.free() > (has_its_part ? options_.free_frames / 4 : 0);
}

Move& Engine::begin_move(MoveKind kind, ChunkRef chunk, Cause cause) {
    CIUIC_CHECK(!free_moves_.empty());
    ChunkRecord& facts = record(chunk);
    CIUIC_CHECK(facts.move == none_index || !is_moving(facts.state));
    const uint32_t index = free_moves_.back();
    free_moves_.pop_back();
    facts.move = index;
    facts.cause = static_cast<uint8_t>(cause);
    Session& session = session_at(chunk.session);
    ++session.moves;
    if (kind == MoveKind::evict) {
        ++session.evicting;
        ++evicting_;
    } else if (kind != MoveKind::piece_out && facts.left_at != 0) {
        session.trial.came_back(chunk.chunk);
    }
    if (kind == MoveKind::piece_out) ++pieces_leaving_;
    Move& move = moves_[index];
    move = Move{};
    move.kind = kind;
    move.stage = MoveStage::showing;
    move.cause = cause;
    move.chunk = chunk;
    move.frame = FrameIndex{facts.frame};
    move.place = {facts.place_first, facts.place_granules};
    move.demanded = cause != Cause::prefetch;
    move.touched = cause == Cause::fault;
    move.started = ports_.clock.now();
    return move;
}

void Engine::end_move(Move& move) {
    const ChunkRef chunk = move.chunk;
    Session& session = session_at(chunk.session);
    CIUIC_CHECK(move.stage != MoveStage::idle && move.parts_flying == 0 && session.moves > 0);
    --session.moves;
    if (move.reading_bytes > 0) end_read(move);
    if (move.kind == MoveKind::evict) {
        --session.evicting;
        --evicting_;
    }
    if (move.kind == MoveKind::piece_out) --pieces_leaving_;
    if (move.kind == MoveKind::grow) free_bounces_.push_back(move.bytes);
    give_back_bounce(move);
    move.stage = MoveStage::idle;
    free_moves_.push_back(static_cast<uint32_t>(&move - moves_.data()));
    record(chunk).move = none_index;
    settle(chunk);
}

void Engine::take_frame(Move& move) {
    Session& session = session_at(move.chunk.session);
    lift_poison(move.chunk);
    if (opens_left_ > 0) --opens_left_;
    move.frame = frames_.take(move.chunk);
    reserve_.taken();
    record(move.chunk).frame = move.frame.value;
    session.stats.frames = ++session.frames;
    session.stats.frames_peak = std::max(session.stats.frames_peak, session.frames);
}

// Takes a frame and opens it. On false nothing has changed.
bool Engine::open_frame(Move& move) {
    take_frame(move);
    if (open_taken_frame(move)) return true;
    release_frame(move.chunk);
    return false;
}

bool Engine::open_taken_frame(Move& move) {
    auto opened = ports_.device.open(move.chunk, move.frame);
    opens_refused_ = !opened;
    if (opens_refused_) {
        retry_wanted_ = true;
        return false;
    }
    move.bytes = *opened;
    return true;
}

// The chunk's move has brought it in: policy may take the frame from now on.
void Engine::hold_frame(ChunkRef chunk, Entry entry) {
    const FrameIndex frame{record(chunk).frame};
    frames_.set_movable(frame, true);
    Session& session = session_at(chunk.session);
    if (session.declared) session.declared->entered(chunk.chunk);
    eviction_.entered(frame, entry);
    arrivals_.arrived(session.arrivals, frame, entry == Entry::ahead);
}

// The program was seen to use a chunk that has a frame.
void Engine::note_use(ChunkRef chunk) {
    const FrameIndex frame{record(chunk).frame};
    eviction_.touched(frame);
    arrivals_.arrived(session_at(chunk.session).arrivals, frame);
}

// The chunk was proposed for eviction and cannot go: it is in use.
void Engine::spare(ChunkRef chunk) {
    const FrameIndex frame{record(chunk).frame};
    eviction_.spared(frame);
    arrivals_.arrived(session_at(chunk.session).arrivals, frame);
}

void Engine::release_frame(ChunkRef chunk) {
    Session& session = session_at(chunk.session);
    ChunkRecord& facts = record(chunk);
    frames_.give_back(FrameIndex{facts.frame});
    arrivals_.left(session.arrivals, FrameIndex{facts.frame});
    facts.frame = none_index;
    if (session.declared) session.declared->left(chunk.chunk);
    CIUIC_CHECK(session.frames > 0);
    session.stats.frames = --session.frames;
}

void Engine::release_place(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::kept);
    if (facts.place_granules == 0) return;
    ports_.store.release({facts.place_first, facts.place_granules});
    facts.place_first = facts.place_granules = 0;
}

Entry Engine::entry_of(ChunkRef chunk, Cause cause) {
    const ChunkRecord& facts = record(chunk);
    if (cause == Cause::prefetch) return Entry::ahead;
    if (session_at(chunk.session).streams.is_streaming()) return Entry::stream;
    const bool left_recently =
        facts.left_at != 0 && evictions_ - facts.left_at <= frames_.frames() / 2;
    return left_recently ? Entry::refault : Entry::demand;
}

void Engine::submit_job(Move& move, JobKind kind, MoveStage stage) {
    move.stage = stage;
    ports_.workers.submit({.kind = kind,
                           .data = move.bytes,
                           .block_bytes = ports_.store.block_bytes(),
                           .hashes = hashes_of(move),
                           .token = static_cast<uint64_t>(&move - moves_.data())});
}

bool Engine::retry_moves() {
    bool advanced = false;
    next_retry_ = (next_retry_ + 1) % limits::moves_max;
    for (uint32_t turn = 0; turn < limits::moves_max; ++turn) {
        Move& move = moves_[(next_retry_ + turn) % limits::moves_max];
        const MoveStage stage = move.stage;
        if (stage != MoveStage::showing && stage != MoveStage::read_wanted &&
            stage != MoveStage::write_wanted)
            continue;
        if (!may_work()) break;
        advance(move);
        if (move.stage == stage) continue;
        advanced = true;
        if (stage == MoveStage::showing) did(limits::cost_of_show);
    }
    return advanced;
}

void Engine::advance(Move& move) {
    const bool shows = move.stage == MoveStage::showing;
    switch (move.kind) {
    case MoveKind::fill: return show_filled(move);
    case MoveKind::fetch: return shows ? show_fetched(move) : submit_reads(move);
    case MoveKind::evict: return shows ? abort_evict(move) : submit_write(move);
    case MoveKind::grow: return shows ? show_grown(move) : read_block(move);
    case MoveKind::piece_in: return shows ? show_piece(move) : read_block(move);
    case MoveKind::piece_out: return shows ? end_piece_out(move, false) : write_piece(move);
    }
}

// Nobody waits at a poisoned chunk, so no event will come that could lift the poison later.
void Engine::lift_poison(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    if (!(facts.flags & ChunkFlags::poisoned)) return;
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::poisoned);
    ports_.device.unpoison(chunk);
}

// After a move: a chunk that was given up while it moved is given up now.
void Engine::settle(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    if (!(facts.flags & ChunkFlags::doomed)) return;
    const bool keep_promise = facts.flags & ChunkFlags::cleared;
    facts.flags &= static_cast<uint8_t>(~(ChunkFlags::doomed | ChunkFlags::cleared));
    CIUIC_CHECK(give_up(chunk, keep_promise));
}

// The bytes are not wanted any more. False: the chunk is in a move and is given up at its end.
bool Engine::give_up(ChunkRef chunk, bool keep_promise) {
    Session& session = session_at(chunk.session);
    ChunkRecord& facts = record(chunk);
    if (facts.state == ChunkState::vacant) return true;
    if (session.declared) session.declared->given_up(chunk.chunk);
    if (is_moving(facts.state)) {
        // A discard outranks a clear that came before it.
        if (!(facts.flags & ChunkFlags::doomed) || !keep_promise) {
            facts.flags |= ChunkFlags::doomed;
            facts.flags &= static_cast<uint8_t>(~ChunkFlags::cleared);
            if (keep_promise) facts.flags |= ChunkFlags::cleared;
        }
        if (move_of(chunk).kind == MoveKind::evict) move_of(chunk).recalled = true;
        return false;
    }
    if (has_frame(facts.state)) {
        ports_.device.close(chunk, FrameIndex{facts.frame});
        release_frame(chunk);
    }
    if (facts.shown_blocks != 0) forget_blocks(chunk);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::dense);
    drop_pieces(chunk);
    release_place(chunk);
    if (facts.left_at != 0) session.trial.given_up(chunk.chunk);
    facts.left_at = 0;
    if (keep_promise) lift_poison(chunk);
    if (!keep_promise) {
        // Whoever still waits here touched memory that its own program gave up.
        facts.flags &= static_cast<uint8_t>(~ChunkFlags::write_wanted);
        CIUIC_CHECK(session.promised > 0 && promised_ > 0);
        session.stats.chunks_promised = --session.promised;
        --promised_;
    }
    apply(chunk, keep_promise ? ChunkEvent::clear : ChunkEvent::discard);
    return true;
}

}  // namespace ciuic
