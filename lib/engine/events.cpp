// SPDX-License-Identifier: Apache-2.0
//
// Drain and apply: what the device, the store and the workers report.
#include "base/check.hpp"
#include "engine/engine.hpp"

namespace ciuic {

namespace {

// What is taken in at a time: each may cost the mapping or the end of a whole chunk, and what comes
// after it in the turn should not wait for all of them.
constexpr size_t touches_per_turn = 8;
constexpr size_t completions_per_turn = 4;

}  // namespace

bool Engine::drain_device() {
    size_t count = 0;
    for (; count < touches_per_turn && may_work(); ++count) {
        DeviceEvent event;
        if (ports_.device.drain({&event, 1}) == 0) break;
        if (session_at(event.chunk.session).closing) continue;
        const auto block = static_cast<uint32_t>(event.offset_bytes / ports_.store.block_bytes());
        CIUIC_CHECK(block < blocks_);
        did(has_frame(record(event.chunk).state) ? limits::cost_of_show : 1);
        if (event.kind == DeviceEventKind::write)
            on_write(event.chunk, block);
        else
            on_missing(event.chunk, block, event.is_write);
    }
    return count > 0;
}

bool Engine::drain_store() {
    size_t count = 0;
    for (; count < completions_per_turn && may_work(); ++count) {
        StoreCompletion completion;
        if (ports_.store.poll({&completion, 1}) == 0) break;
        Move& move = moves_[completion.token / read_parts];
        did(move.kind == MoveKind::evict ? limits::cost_of_close : 1);
        const auto part = static_cast<uint32_t>(completion.token % read_parts);
        switch (move.kind) {
        case MoveKind::fetch: on_read(move, part, completion.status); break;
        case MoveKind::evict: on_written(move, completion.status); break;
        case MoveKind::grow:
        case MoveKind::piece_in: on_block_read(move, completion.status); break;
        case MoveKind::piece_out: on_piece_written(move, completion.status); break;
        case MoveKind::fill: CIUIC_CHECK(!"a fill asks nothing of the store"); break;
        }
    }
    return count > 0;
}

bool Engine::drain_workers() {
    size_t count = 0;
    for (; count < completions_per_turn && may_work(); ++count) {
        uint64_t token = 0;
        if (ports_.workers.drain({&token, 1}) == 0) break;
        Move& move = moves_[token];
        const bool closes = move.kind == MoveKind::evict && move.compares;
        did(closes ? limits::cost_of_close : limits::cost_of_show);
        switch (move.kind) {
        case MoveKind::fill: show_filled(move); break;
        case MoveKind::fetch: verify_fetched(move); break;
        case MoveKind::evict: on_hashed_for_evict(move); break;
        case MoveKind::grow:
        case MoveKind::piece_in:
        case MoveKind::piece_out: CIUIC_CHECK(!"single blocks need no worker"); break;
        }
    }
    return count > 0;
}

// What the program meets: an eviction whose write hangs has given it its chunk back (overdue.cpp).
ChunkState Engine::state_met(ChunkRef chunk) {
    const ChunkState state = record(chunk).state;
    return state == ChunkState::evicting && move_of(chunk).overdue ? ChunkState::resident : state;
}

void Engine::on_missing(ChunkRef chunk, uint32_t block, bool is_write) {
    Session& session = session_at(chunk.session);
    SessionStats& stats = session.stats;
    ++stats.faults;
    if (session.declared) session.undeclared = frames();
    switch (state_met(chunk)) {
    case ChunkState::vacant: ++stats.stray_touches; [[fallthrough]];
    case ChunkState::lost:
        if (!refuse(chunk)) want(chunk, block, is_write, Cause::fault);
        break;
    case ChunkState::empty:
    case ChunkState::stored:
        want(chunk, block, is_write, Cause::fault);
        note_touch(chunk, is_write);
        break;
    case ChunkState::ready:
    case ChunkState::zeroed:
        if (!show_untouched(chunk, is_write)) want(chunk, block, is_write, Cause::fault);
        break;
    case ChunkState::resident:
        if (!touch_resident(chunk, block, is_write)) want(chunk, block, is_write, Cause::fault);
        break;
    case ChunkState::scattered:
        tell_use(chunk, is_write);
        touch_scattered(chunk, block, is_write);
        break;
    case ChunkState::sparse:
        tell_use(chunk, is_write);
        touch_sparse(chunk, block, is_write);
        break;
    case ChunkState::filling:
    case ChunkState::fetching:
    case ChunkState::evicting:
    case ChunkState::scattering:
    case ChunkState::gathering:
    case ChunkState::growing:
        touch_moving(chunk, is_write);
        move_of(chunk).touched = true;
        break;
    }
}

void Engine::on_write(ChunkRef chunk, uint32_t block) {
    if (record(chunk).state != ChunkState::resident) return on_missing(chunk, block, true);
    ++session_at(chunk.session).stats.write_faults;
    const FrameIndex frame{record(chunk).frame};
    note_shown(chunk, true);
    note_use(chunk);
    tell_use(chunk, true);
    // A program that is gone needs no answer; the session's end is on its way.
    if (ports_.device.allow_write(chunk, frame).error().code == Errc::busy)
        want(chunk, block, true, Cause::fault);
}

// The program waits at a resident chunk: it touched a block that the machine had taken out of its
// page tables, or it was already served when the fault was read. Showing again answers both.
bool Engine::touch_resident(ChunkRef chunk, uint32_t block, bool is_write) {
    const DeviceTraits& traits = ports_.device.traits();
    const ChunkRecord& facts = record(chunk);
    if (is_write) note_shown(chunk, true);
    const bool writable = !holds(facts.copies, Copies::store);
    const bool whole = block == none_index;
    const uint64_t offset_bytes =
        whole ? 0 : block * ports_.store.block_bytes() / traits.reveal_bytes * traits.reveal_bytes;
    const Status shown = ports_.device.reveal(chunk, FrameIndex{facts.frame}, offset_bytes,
                                              whole ? chunk_bytes_ : traits.reveal_bytes, writable);
    return shown.error().code != Errc::busy;
}

void Engine::touch_moving(ChunkRef chunk, bool is_write) {
    ChunkRecord& facts = record(chunk);
    if (is_write) facts.flags |= ChunkFlags::write_wanted;
    begin_wait(chunk);
    Move& move = move_of(chunk);
    if (move.kind == MoveKind::evict) {
        move.recalled = true;
        tell_use(chunk, is_write);
    } else if (move.kind == MoveKind::grow) {
        facts.flags |= ChunkFlags::dense;
        tell_use(chunk, is_write);
    } else if (!move.demanded) {
        move.demanded = true;
        Session& session = session_at(chunk.session);
        if (session.declared) return;  // it says so itself
        if (move.kind == MoveKind::fetch) ++session.stats.prefetches_used;
        note_touch(chunk, is_write);
    }
}

}  // namespace ciuic
