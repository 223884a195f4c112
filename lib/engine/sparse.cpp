// SPDX-License-Identifier: Apache-2.0
//
// Sparse: of a stored chunk that is touched here and there, the touched blocks alone are read into
// its frame and shown, read-only. A lone touch then costs one small read. A write, a touch beside a
// block that is there, one too many, or two at once have the chunk fetched whole (fetch.cpp).
//
// Only on devices that see writes: what a sparse chunk has in its frame is in the store, too, so
// that it can be dropped at any time. (scatter.cpp is for the others.)
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <bit>

namespace ciuic {

namespace {

constexpr uint32_t bit_of(uint32_t block) { return uint32_t{1} << block; }

}  // namespace

// Whether the block that is waited for comes in alone.
bool Engine::wants_block(ChunkRef chunk, Cause cause) {
    if (!has_sparse_ || cause != Cause::fault || free_moves_.empty()) return false;
    Session& session = session_at(chunk.session);
    const ChunkRecord& facts = record(chunk);
    if (session.streams.is_streaming()) return false;
    if (facts.flags & (ChunkFlags::write_wanted | ChunkFlags::dense)) return false;
    if (facts.state == ChunkState::stored)
        return may_take_frame(session) && session.lone.wants_block(chunk.chunk);
    const uint32_t beside = facts.shown_blocks << 1 | facts.shown_blocks >> 1;
    return !(beside & bit_of(facts.wanted_block)) &&
           std::popcount(facts.shown_blocks) < static_cast<int>(options_.pieces_per_chunk_max);
}

// False: the machine refused memory for it; nothing has changed.
bool Engine::start_grow(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    const bool is_first = facts.state == ChunkState::stored;
    const uint64_t block_bytes = ports_.store.block_bytes();
    const uint64_t offset_bytes = facts.wanted_block * block_bytes;
    Move& move = begin_move(MoveKind::grow, chunk, Cause::fault);
    const bool opened = is_first ? open_frame(move, offset_bytes, block_bytes)
                                 : open_block(move, offset_bytes, block_bytes);
    if (!opened) {
        end_move(move);
        return false;
    }
    if (is_first)
        session_at(chunk.session).lone.began(chunk.chunk);
    else
        frames_.set_movable(move.frame, false);
    apply(chunk, ChunkEvent::grow_start);
    begin_read(move, block_bytes);
    move.first_block = facts.wanted_block;
    move.bytes = move.bytes.subspan(offset_bytes, block_bytes);
    read_block(move);
    return true;
}

bool Engine::open_block(Move& move, uint64_t offset_bytes, uint64_t length_bytes) {
    auto opened = ports_.device.open_part(move.chunk, move.frame, offset_bytes, length_bytes);
    if (!opened) {
        retry_wanted_ = true;
        return false;
    }
    move.bytes = *opened;
    return true;
}

void Engine::show_grown(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (move.overdue || (facts.flags & ChunkFlags::doomed)) return abort_grow(move);
    const Status shown = ports_.device.reveal(
        chunk, move.frame, move.first_block * ports_.store.block_bytes(), move.bytes.size(), false);
    if (shown.error().code == Errc::busy) {
        move.stage = MoveStage::showing;
        retry_wanted_ = true;
        return;
    }
    if (!shown) return abort_grow(move);
    SessionStats& stats = session_at(chunk.session).stats;
    ++stats.pieces_in;
    stats.bytes_in_by_cause[static_cast<size_t>(move.cause)] += move.bytes.size();
    const Entry entry = entry_of(chunk, Cause::fault);
    facts.shown_blocks |= bit_of(move.first_block);
    apply(chunk, ChunkEvent::grow_done);
    hold_frame(chunk, entry);
    end_wait(chunk);
    end_move(move);
    // Others came to wait at other blocks meanwhile.
    if (facts.flags & ChunkFlags::dense) want(chunk, 0, false, Cause::fault);
}

// The store has every block: whoever waits comes again.
void Engine::abort_grow(Move& move) {
    const ChunkRef chunk = move.chunk;
    ports_.device.close(chunk, move.frame);
    forget_blocks(chunk);
    record(chunk).flags &= static_cast<uint8_t>(~ChunkFlags::dense);
    apply(chunk, ChunkEvent::grow_abort);
    release_frame(chunk);
    end_wait(chunk);
    end_move(move);
}

// The program touched a sparse chunk.
void Engine::touch_sparse(ChunkRef chunk, uint32_t block, bool is_write) {
    const bool is_there = !is_write && (record(chunk).shown_blocks & bit_of(block));
    if (!is_there || !show_again(chunk, block)) want(chunk, block, is_write, Cause::fault);
}

// A block that is there: the machine had taken it out of the program's page tables. False: the
// device is busy.
bool Engine::show_again(ChunkRef chunk, uint32_t block) {
    const uint64_t block_bytes = ports_.store.block_bytes();
    const Status shown = ports_.device.reveal(chunk, FrameIndex{record(chunk).frame},
                                              block * block_bytes, block_bytes, false);
    if (shown.error().code == Errc::busy) {
        retry_wanted_ = true;
        return false;
    }
    end_wait(chunk);
    return true;
}

// Of the wanted block. Writes and those who wait elsewhere need more than that.
bool Engine::has_block(const ChunkRecord& facts) const {
    return facts.state == ChunkState::sparse && (facts.shown_blocks & bit_of(facts.wanted_block)) &&
           !(facts.flags & (ChunkFlags::write_wanted | ChunkFlags::dense));
}

void Engine::forget_blocks(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    session_at(chunk.session).stats.pieces_out +=
        static_cast<uint64_t>(std::popcount(facts.shown_blocks));
    facts.shown_blocks = 0;
}

void Engine::drop_sparse(ChunkRef chunk) {
    ports_.device.close(chunk, FrameIndex{record(chunk).frame});
    forget_blocks(chunk);
    apply(chunk, ChunkEvent::drop);
    release_frame(chunk);
}

// All of it is wanted: it comes in as if nothing were here.
void Engine::give_way_to_fetch(ChunkRef chunk) {
    if (record(chunk).state != ChunkState::sparse) return;
    Session& session = session_at(chunk.session);
    session.lone.needed_whole(chunk.chunk);
    ++session.stats.gathers;
    drop_sparse(chunk);
}

void Engine::evict_sparse(ChunkRef chunk) {
    Session& session = session_at(chunk.session);
    ++session.stats.evictions;
    ++session.stats.evictions_clean;
    record(chunk).left_at = ++evictions_;
    drop_sparse(chunk);
}

}  // namespace ciuic
