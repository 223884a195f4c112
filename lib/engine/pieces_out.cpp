// SPDX-License-Identifier: Apache-2.0
//
// Pieces out: a piece's bytes are taken from the program, compared with their tag and, where they
// differ, written over their block in the chunk's place. The other blocks there stay as they are.
//
// While the block is being written the place has neither its old bytes nor its new ones, and its
// tag matches neither; the piece is the truth until the write has ended well.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

// One piece goes, or all from there on for a request. False: nothing has gone or is on its way.
bool Engine::start_pieces_out(ChunkRef chunk, PieceIndex piece, Cause cause) {
    if (free_moves_.empty()) return false;
    const uint32_t before = pieces_.free() + pieces_leaving_;
    Move& move = begin_move(MoveKind::piece_out, chunk, cause);
    apply(chunk, ChunkEvent::piece_start);
    move.piece = piece;
    take_piece_out(move);
    return pieces_.free() + pieces_leaving_ > before;
}

void Engine::take_piece_out(Move& move) {
    const PieceRef ref = piece_ref(move.piece);
    move.first_block = ref.block;
    move.tries = 0;
    auto concealed = ports_.device.pieces()->conceal(ref);
    if (!concealed) return end_piece_out(move, false);
    move.bytes = *concealed;
    const std::span<uint64_t> hash = hashes_of(move).first(1);
    hash_blocks(move.bytes, move.bytes.size(), hash);
    if (is_tag_right(move.chunk, ref.block, hash[0])) return end_piece_out(move, true);
    write_piece(move);
}

void Engine::write_piece(Move& move) {
    move.stage = MoveStage::write_wanted;
    ports_.store.tags(move.place)[move.first_block] = ~tag_of_piece(move);
    const uint64_t offset_bytes = move.first_block * move.bytes.size();
    const auto token = static_cast<uint64_t>(&move - moves_.data()) * read_parts;
    if (!ports_.store.write(move.place, offset_bytes, move.bytes, token)) return;
    disk_.charge(session_at(move.chunk.session).disk, move.bytes.size());
    move.parts_flying = 1;
    move.stage = MoveStage::writing;
}

uint64_t Engine::tag_of_piece(const Move& move) {
    return bind_tag(binding_of(move.chunk, move.place), move.first_block, hashes_of(move)[0]);
}

void Engine::on_piece_written(Move& move, const Status& status) {
    CIUIC_CHECK(move.stage == MoveStage::writing);
    move.parts_flying = 0;
    SessionStats& stats = session_at(move.chunk.session).stats;
    if (status) {
        ports_.store.tags(move.place)[move.first_block] = tag_of_piece(move);
        stats.store_bytes_written += move.bytes.size();
        ++stats.pieces_written;
        return end_piece_out(move, true);
    }
    ++stats.write_failures;
    const bool doomed = record(move.chunk).flags & ChunkFlags::doomed;
    if (!doomed && move.tries++ < limits::io_retries_max) return write_piece(move);
    // The piece leaves with its whole chunk, which then gets another place.
    pieces_.mark_refused(move.piece);
    end_piece_out(move, false);
}

// `gone`: the store has the block. Else the program has the piece again.
void Engine::end_piece_out(Move& move, bool gone) {
    const ChunkRef chunk = move.chunk;
    const PieceIndex next{pieces_[move.piece].next};
    const bool doomed = record(chunk).flags & ChunkFlags::doomed;
    if (gone) {
        drop_piece(move.piece);
    } else if (!doomed && !reveal_piece(move.piece)) {
        move.stage = MoveStage::showing;
        return;
    }
    if (move.cause == Cause::request && next.value != none_index && !doomed) {
        move.piece = next;
        return take_piece_out(move);
    }
    const bool has_pieces = record(chunk).first_piece != none_index;
    apply(chunk, has_pieces ? ChunkEvent::piece_done : ChunkEvent::pieces_gone);
    end_wait(chunk);
    end_move(move);
}

// Keeps some pieces free, so that a lone touch never waits for one. They go several at a time: of
// touches that follow each other closely, few then wait behind a write.
bool Engine::plan_pieces_out() {
    const uint32_t high = std::max(1u, pieces_.pieces() / 8);
    const auto coming = [&] { return pieces_.free() + pieces_leaving_; };
    if (coming() < (high + 1) / 2) pieces_short_ = true;
    if (coming() >= high || pieces_.pieces() == 0) pieces_short_ = false;
    bool started = false;
    for (uint32_t step = 0; step < pieces_.pieces() && pieces_short_ && coming() < high; ++step) {
        if (free_moves_.size() <= limits::moves_for_demand) break;
        const PieceIndex piece{piece_hand_};
        piece_hand_ = piece_hand_ + 1 == pieces_.pieces() ? 0 : piece_hand_ + 1;
        const Piece& facts = pieces_[piece];
        if (!facts.held || facts.refused) continue;
        const ChunkRecord& owner = record(facts.owner);
        if (owner.state != ChunkState::scattered || (owner.flags & ChunkFlags::wanted)) continue;
        started |= start_pieces_out(facts.owner, piece, Cause::pressure);
    }
    return started;
}

}  // namespace ciuic
