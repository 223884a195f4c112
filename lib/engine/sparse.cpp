// SPDX-License-Identifier: Apache-2.0
//
// Sparse: of a stored chunk that is touched here and there, the touched blocks alone are brought
// into its frame and shown, read-only. A lone touch then costs one small read, into a bounce
// buffer: making a huge page takes as long as the read, and the copy next to nothing. A write, a
// touch beside a block that is there, one too many, or two at once have the chunk fetched whole
// (fetch.cpp).
//
// Only on devices that see writes: what a sparse chunk has in its frame is in the store, too, so
// that it can be dropped at any time. (scatter.cpp is for the others.)
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <bit>
#include <cstring>

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

// False: all buffers are in use.
bool Engine::start_grow(ChunkRef chunk) {
    if (free_bounces_.empty()) return false;
    ChunkRecord& facts = record(chunk);
    const bool is_first = facts.state == ChunkState::stored;
    Move& move = begin_move(MoveKind::grow, chunk, Cause::fault);
    if (is_first) {
        take_frame(move);
        session_at(chunk.session).lone.began(chunk.chunk);
    } else {
        frames_.set_movable(move.frame, false);
    }
    apply(chunk, ChunkEvent::grow_start);
    move.first_block = facts.wanted_block;
    move.bytes = free_bounces_.back();
    free_bounces_.pop_back();
    begin_read(move, move.bytes.size());
    read_block(move);
    ports_.store.flush();
    // Its pages are made while the disk is at work. What is refused now is tried again then.
    (void)open_block(move);
    return true;
}

bool Engine::open_block(Move& move) {
    const uint64_t block_bytes = move.bytes.size();
    const uint64_t offset_bytes = move.first_block * block_bytes;
    auto opened = ports_.device.open_part(move.chunk, move.frame, offset_bytes, block_bytes);
    if (!opened) return false;
    move.target = opened->subspan(offset_bytes, block_bytes);
    return true;
}

// The device knows the frame.
bool Engine::is_open(const Move& move) {
    if (move.kind != MoveKind::grow) return !move.bytes.empty();
    return !move.target.empty() || record(move.chunk).shown_blocks != 0;
}

void Engine::show_grown(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (move.overdue || (facts.flags & ChunkFlags::doomed)) return abort_grow(move);
    if (move.target.empty() && !open_block(move)) return abort_grow(move);
    std::memcpy(move.target.data(), move.bytes.data(), move.bytes.size());
    const Status shown = ports_.device.reveal(
        chunk, move.frame, move.first_block * move.bytes.size(), move.bytes.size(), false);
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

// The store has every block. Closing wakes whoever waits, to come again; where there is nothing to
// close they go on waiting, for the whole chunk.
void Engine::abort_grow(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    const bool wakes = is_open(move);
    const bool waits = !wakes && !move.overdue && !session_at(chunk.session).closing;
    if (wakes) ports_.device.close(chunk, move.frame);
    forget_blocks(chunk);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::dense);
    apply(chunk, ChunkEvent::grow_abort);
    release_frame(chunk);
    if (!waits) end_wait(chunk);
    const uint32_t block = move.first_block;
    end_move(move);
    if (!waits) return;
    want(chunk, block, false, Cause::fault);
    facts.flags |= ChunkFlags::dense;
    retry_wanted_ = true;
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
