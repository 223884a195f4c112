// SPDX-License-Identifier: Apache-2.0
//
// Fill: an empty chunk gets a frame of zeros, on its first touch, or ahead of it where the program
// goes through its memory.
#include "engine/engine.hpp"

namespace ciuic {

// False: the machine refused memory for the frame; nothing has changed.
bool Engine::start_fill(ChunkRef chunk, Cause cause) {
    Move& move = begin_move(MoveKind::fill, chunk, cause);
    if (!open_frame(move)) {
        end_move(move);
        return false;
    }
    // It has cost others as much as a read.
    disk_.start(session_at(chunk.session).disk, chunk_bytes_);
    apply(chunk, ChunkEvent::fill_start);
    if (ports_.device.traits().opens_zeroed)
        show_filled(move);
    else
        submit_job(move, JobKind::zero, MoveStage::zeroing);
    return true;
}

void Engine::show_filled(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    Status shown;
    const bool doomed = facts.flags & ChunkFlags::doomed;
    const bool shows = move.demanded || session_at(chunk.session).declared;
    if (!doomed && shows) shown = ports_.device.reveal(chunk, move.frame, 0, chunk_bytes_, true);
    if (shown.error().code == Errc::busy) {
        move.stage = MoveStage::showing;
        retry_wanted_ = true;
        return;
    }
    end_wait(chunk);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::write_wanted);
    if (doomed || !shown) {
        ports_.device.close(chunk, move.frame);
        apply(chunk, ChunkEvent::fill_abort);
        release_frame(chunk);
    } else {
        SessionStats& stats = session_at(chunk.session).stats;
        ++stats.fills;
        stats.bytes_in_by_cause[static_cast<size_t>(move.cause)] += chunk_bytes_;
        apply(chunk, shows ? ChunkEvent::fill_done : ChunkEvent::fill_done_ahead);
        hold_frame(chunk, entry_of(chunk, move.demanded ? Cause::fault : move.cause));
    }
    end_move(move);
}

}  // namespace ciuic
