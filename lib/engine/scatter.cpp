// SPDX-License-Identifier: Apache-2.0
//
// Scatter: of a stored chunk that is touched here and there, the touched blocks alone come in, each
// into a piece. A lone touch then costs one small read and no frame. A touch beside a piece, or one
// too many, has the chunk gathered into a frame (fetch.cpp).
//
// Only on devices that have pieces; they do not see writes, so every piece counts as written until
// its bytes have been compared with its tag (pieces_out.cpp).
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ciuic {

PieceRef Engine::piece_ref(PieceIndex piece) const {
    const Piece& facts = pieces_[piece];
    CIUIC_CHECK(facts.held);
    return {facts.owner, facts.block, piece};
}

std::optional<PieceIndex> Engine::find_piece(ChunkRef chunk, uint32_t block) {
    const ChunkRecord& facts = record(chunk);
    if (!holds(facts.copies, Copies::pieces)) return std::nullopt;
    for (uint32_t piece = facts.first_piece; piece != none_index;
         piece = pieces_[PieceIndex{piece}].next)
        if (pieces_[PieceIndex{piece}].block == block) return PieceIndex{piece};
    return std::nullopt;
}

// Whether the block that is waited for comes in alone.
bool Engine::wants_piece(ChunkRef chunk, Cause cause) {
    if (cause != Cause::fault || pieces_.free() == 0 || free_moves_.empty()) return false;
    if (session_at(chunk.session).streams.is_streaming()) return false;
    const ChunkRecord& facts = record(chunk);
    // Back at once: there are too few pieces for what goes on, and with a frame it gets on.
    if (facts.piece_left_block == facts.wanted_block + 1 &&
        pieces_in_ - facts.piece_left_at < std::max(limits::pieces_min, pieces_.pieces() / 8))
        return false;
    if (!holds(facts.copies, Copies::pieces))
        return session_at(chunk.session).lone.wants_block(chunk.chunk);
    uint32_t count = 0;
    for (uint32_t piece = facts.first_piece; piece != none_index;
         piece = pieces_[PieceIndex{piece}].next) {
        const uint32_t block = pieces_[PieceIndex{piece}].block;
        // Beside what is there: the program goes through the chunk.
        if (block + 1 == facts.wanted_block || facts.wanted_block + 1 == block) return false;
        ++count;
    }
    return count < options_.pieces_per_chunk_max;
}

// False: the machine refused memory for the piece; nothing has changed.
bool Engine::start_piece(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    lift_poison(chunk);
    const PieceIndex piece = pieces_.take(chunk, facts.wanted_block);
    auto opened = ports_.device.pieces()->open(piece_ref(piece));
    if (!opened) {
        pieces_.give_back(piece);
        retry_wanted_ = true;
        return false;
    }
    if (!holds(facts.copies, Copies::pieces)) {
        facts.first_piece = none_index;
        session_at(chunk.session).lone.began(chunk.chunk);
    }
    Move& move = begin_move(MoveKind::piece_in, chunk, Cause::fault);
    apply(chunk, ChunkEvent::piece_start);
    move.piece = piece;
    move.first_block = facts.wanted_block;
    move.bytes = *opened;
    begin_read(move, move.bytes.size());
    read_block(move);
    return true;
}

void Engine::read_block(Move& move) {
    move.stage = MoveStage::read_wanted;
    const uint64_t offset_bytes = move.first_block * move.bytes.size();
    const auto token = static_cast<uint64_t>(&move - moves_.data()) * read_parts;
    if (!ports_.store.read(move.place, offset_bytes, move.bytes, token)) return;
    move.parts_flying = 1;
    move.stage = MoveStage::reading;
}

// The block is hashed on the spot: 64 KiB take 3 us, less than a worker's wake-up.
void Engine::on_block_read(Move& move, const Status& status) {
    CIUIC_CHECK(move.stage == MoveStage::reading);
    move.parts_flying = 0;
    SessionStats& stats = session_at(move.chunk.session).stats;
    move.read_failed = !status;
    if (status.error().os_error == EFAULT) {
        move.client_failed = true;
        ports_.clients.tampered(move.chunk.session);
    }
    if (status) {
        stats.store_bytes_read += move.bytes.size();
        uint64_t content_hash = 0;
        hash_blocks(move.bytes, move.bytes.size(), {&content_hash, 1});
        if (is_tag_right(move.chunk, move.first_block, content_hash))
            return move.kind == MoveKind::grow ? show_grown(move) : show_piece(move);
        ++stats.tag_failures;
    }
    if (move.overdue || (record(move.chunk).flags & ChunkFlags::doomed))
        return move.kind == MoveKind::grow ? abort_grow(move) : end_piece_in(move, false);
    if (move.tries++ >= limits::io_retries_max) return lose(move);
    read_block(move);
}

void Engine::show_piece(Move& move) {
    if (move.overdue || (record(move.chunk).flags & ChunkFlags::doomed))
        return end_piece_in(move, false);
    const Status shown = ports_.device.pieces()->reveal(piece_ref(move.piece));
    if (shown.error().code == Errc::busy) {
        move.stage = MoveStage::showing;
        retry_wanted_ = true;
        return;
    }
    end_piece_in(move, shown.has_value());
}

void Engine::end_piece_in(Move& move, bool shown) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (shown) {
        SessionStats& stats = session_at(chunk.session).stats;
        ++stats.pieces_in;
        ++pieces_in_;
        stats.bytes_in_by_cause[static_cast<size_t>(move.cause)] += move.bytes.size();
        pieces_.link(facts.first_piece, move.piece);
        facts.flags &= static_cast<uint8_t>(~ChunkFlags::write_wanted);
    } else {
        ports_.device.pieces()->close(piece_ref(move.piece));
        pieces_.give_back(move.piece);
    }
    const bool has_pieces = facts.first_piece != none_index;
    apply(chunk, has_pieces ? ChunkEvent::piece_done : ChunkEvent::pieces_gone);
    end_wait(chunk);
    end_move(move);
}

// The program waits at a scattered chunk.
void Engine::touch_scattered(ChunkRef chunk, uint32_t block, bool is_write) {
    const auto piece = find_piece(chunk, block);
    if (!piece || !reveal_piece(*piece)) want(chunk, block, is_write, Cause::fault);
}

// A piece that is there already: it was taken away for a while, or pages of it were discarded.
bool Engine::reveal_piece(PieceIndex piece) {
    const PieceRef ref = piece_ref(piece);
    lift_poison(ref.chunk);
    if (ports_.device.pieces()->reveal(ref).error().code == Errc::busy) {
        retry_wanted_ = true;
        return false;
    }
    end_wait(ref.chunk);
    return true;
}

void Engine::drop_piece(PieceIndex piece) {
    const PieceRef ref = piece_ref(piece);
    ChunkRecord& facts = record(ref.chunk);
    ports_.device.pieces()->close(ref);
    pieces_.unlink(facts.first_piece, piece);
    facts.piece_left_block = ref.block + 1;
    facts.piece_left_at = pieces_in_;
    pieces_.give_back(piece);
    ++session_at(ref.chunk.session).stats.pieces_out;
}

void Engine::drop_pieces(ChunkRef chunk) {
    const ChunkRecord& facts = record(chunk);
    if (!holds(facts.copies, Copies::pieces)) return;
    while (facts.first_piece != none_index) drop_piece(PieceIndex{facts.first_piece});
}

// Takes all pieces of a chunk away from the program, and copies them to where they belong in
// `chunk_bytes`, unless that is empty. May be repeated.
Status Engine::conceal_pieces(ChunkRef chunk, std::span<std::byte> chunk_bytes) {
    const ChunkRecord& facts = record(chunk);
    if (!holds(facts.copies, Copies::pieces)) return {};
    for (uint32_t piece = facts.first_piece; piece != none_index;
         piece = pieces_[PieceIndex{piece}].next) {
        const PieceRef ref = piece_ref(PieceIndex{piece});
        CIUIC_TRY(const std::span<std::byte> bytes, ports_.device.pieces()->conceal(ref));
        if (chunk_bytes.empty()) continue;
        std::memcpy(chunk_bytes.data() + ref.block * bytes.size(), bytes.data(), bytes.size());
    }
    return {};
}

}  // namespace ciuic
