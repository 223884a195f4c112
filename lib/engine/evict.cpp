// SPDX-License-Identifier: Apache-2.0
//
// Evict: a chunk's bytes are frozen, hashed, written to the store, and its frame is given up.
//
// The order is what loses no write: freeze, copy, verify that nobody came back, give up. A chunk
// whose place still holds the same bytes leaves without a write.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>

namespace ciuic {

// False: the chunk cannot go now (pinned, waited for, busy, no move left).
bool Engine::start_evict(ChunkRef chunk, Cause cause) {
    if (record(chunk).flags & ChunkFlags::wanted) return false;
    switch (record(chunk).state) {
    case ChunkState::ready:
    case ChunkState::zeroed: drop_untouched(chunk); return true;
    case ChunkState::resident: return start_evict_resident(chunk, cause);
    case ChunkState::sparse: evict_sparse(chunk); return true;
    case ChunkState::scattered:
        return start_pieces_out(chunk, PieceIndex{record(chunk).first_piece}, cause);
    default: return false;
    }
}

void Engine::drop_untouched(ChunkRef chunk) {
    Session& session = session_at(chunk.session);
    ports_.device.close(chunk, FrameIndex{record(chunk).frame});
    if (record(chunk).state == ChunkState::ready) ++session.stats.prefetches_wasted;
    apply(chunk, ChunkEvent::drop);
    release_frame(chunk);
    session.streams.wasted(chunk.chunk);
    session.order->wasted(chunk.chunk);
}

bool Engine::start_evict_resident(ChunkRef chunk, Cause cause) {
    ChunkRecord& facts = record(chunk);
    const FrameIndex frame{facts.frame};
    if (free_moves_.empty()) return false;
    if (facts.place_granules == 0) {
        const auto place = ports_.store.allocate();
        if (!place) return false;
        facts.place_first = place->first_granule;
        facts.place_granules = place->granules;
    }
    // The client pins, then reads the state; we publish the state, then read the pin: one of the
    // two sees the other (both sequentially consistent).
    publish(chunk, ChunkState::evicting);
    if (is_pinned(chunk)) {
        publish(chunk, ChunkState::resident);
        spare(chunk);
        return false;
    }
    const bool clean = holds(facts.copies, Copies::store);
    std::span<std::byte> bytes;
    if (!clean) {
        auto concealed = ports_.device.conceal(chunk, frame);
        if (!concealed) {
            publish(chunk, ChunkState::resident);
            spare(chunk);
            return false;
        }
        bytes = *concealed;
    }
    apply(chunk, ChunkEvent::evict_start);
    frames_.set_movable(frame, false);
    if (Session& session = session_at(chunk.session); session.declared) {
        if (session.declared->is_ahead(chunk.chunk)) ++session.stats.prefetches_wasted;
        session.declared->left(chunk.chunk);
    }
    Move& move = begin_move(MoveKind::evict, chunk, cause);
    if (clean) {
        finish_evict(move, true);
        return true;
    }
    move.bytes = bytes;
    move.compares = facts.flags & ChunkFlags::kept;
    submit_job(move, JobKind::hash, MoveStage::hashing);
    return true;
}

bool Engine::is_unchanged(const Move& move) {
    const std::span<const uint64_t> hashes = hashes_of(move);
    for (uint32_t block = 0; block < blocks_; ++block)
        if (!is_tag_right(move.chunk, block, hashes[block])) return false;
    return true;
}

void Engine::on_hashed_for_evict(Move& move) {
    if (move.recalled) return abort_evict(move);
    if (move.compares && is_unchanged(move)) return finish_evict(move, true);
    // From here on the place holds neither the old bytes nor, until `done`, the new ones.
    ChunkRecord& facts = record(move.chunk);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::kept);
    ++facts.generation;
    submit_write(move);
}

void Engine::submit_write(Move& move) {
    if (move.recalled) return abort_evict(move);
    move.stage = MoveStage::write_wanted;
    const std::span<const uint64_t> hashes = hashes_of(move);
    const std::span<uint64_t> tags = ports_.store.tags(move.place);
    const TagBinding binding = binding_of(move.chunk, move.place);
    for (uint32_t block = 0; block < blocks_; ++block)
        tags[block] = bind_tag(binding, block, hashes[block]);
    const auto token = static_cast<uint64_t>(&move - moves_.data()) * read_parts;
    if (!ports_.store.write(move.place, 0, move.bytes, token)) return;
    disk_.charge(session_at(move.chunk.session).disk, chunk_bytes_);
    move.parts_flying = 1;
    move.stage = MoveStage::writing;
}

void Engine::on_written(Move& move, const Status& status) {
    CIUIC_CHECK(move.kind == MoveKind::evict && move.stage == MoveStage::writing);
    move.parts_flying = 0;
    Session& session = session_at(move.chunk.session);
    ChunkRecord& facts = record(move.chunk);
    if (status) {
        session.stats.store_bytes_written += chunk_bytes_;
        if (!move.recalled) return finish_evict(move, false);
        // The place holds what was frozen; the next eviction compares whether that is still so.
        // Not where the program has been writing meanwhile: then it may hold some of both.
        if (!move.overdue) facts.flags |= ChunkFlags::kept;
        return abort_evict(move);
    }
    ++session.stats.write_failures;
    if (status.error().os_error == EFAULT) {
        ports_.clients.tampered(move.chunk.session);
        return abort_evict(move);
    }
    ports_.store.quarantine(move.place);
    facts.place_first = facts.place_granules = 0;
    if (move.overdue || move.tries++ >= limits::io_retries_max) return abort_evict(move);
    const auto place = ports_.store.allocate();
    if (!place) return abort_evict(move);
    move.place = *place;
    facts.place_first = place->first_granule;
    facts.place_granules = place->granules;
    submit_write(move);
}

void Engine::finish_evict(Move& move, bool clean) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    ports_.device.close(chunk, move.frame);
    facts.flags |= ChunkFlags::kept;
    facts.left_at = ++evictions_;
    Session& session = session_at(chunk.session);
    if (session.declared) session.declared->costs(chunk.chunk, ports_.store.is_slow(move.place));
    apply(chunk, ChunkEvent::evict_done);
    release_frame(chunk);
    ++session.stats.evictions;
    if (clean) ++session.stats.evictions_clean;
    reserve_.left(!clean);
    end_wait(chunk);
    end_move(move);
}

// The program came back, the chunk was given up, or the store refused: the device copy stays the
// truth.
void Engine::abort_evict(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (!move.overdue && !(facts.flags & ChunkFlags::doomed)) {
        const Status restored = ports_.device.restore(chunk, move.frame, true);
        // Also where the program is gone: the chunk stays as it is until its session ends.
        if (!restored) {
            move.stage = MoveStage::showing;
            retry_wanted_ = true;
            return;
        }
    }
    apply(chunk, ChunkEvent::evict_abort);
    frames_.set_movable(move.frame, true);
    note_use(chunk);
    Session& session = session_at(chunk.session);
    if (session.declared) session.declared->entered(chunk.chunk);
    if (facts.flags & ChunkFlags::doomed) {
        session.trial.given_up(chunk.chunk);
    } else {
        session.trial.came_back(chunk.chunk);
        if (move.recalled) reserve_.came_back();
    }
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::write_wanted);
    if (move.recalled) ++session.stats.recalls;
    end_wait(chunk);
    end_move(move);
}

}  // namespace ciuic
