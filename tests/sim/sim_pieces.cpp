// SPDX-License-Identifier: Apache-2.0
//
// The simulated device's pieces.
#include "tests/sim/sim_device.hpp"

namespace ciuic::sim {

std::span<std::byte> SimDevice::piece_bytes_of(uint32_t piece) {
    return {pieces_begin_ + piece * options_.piece_bytes, options_.piece_bytes};
}

const SimDevice::Piece* SimDevice::piece_at(const std::byte* data) const {
    if (data < pieces_begin_ || pieces_.empty()) return nullptr;
    const auto piece = static_cast<uint64_t>(data - pieces_begin_) / options_.piece_bytes;
    if (piece >= pieces_.size() || pieces_[piece].phase == Phase::closed) return nullptr;
    return &pieces_[piece];
}

const SimDevice::Piece* SimDevice::shown_piece(ChunkRef chunk, uint64_t offset_bytes) const {
    for (const Piece& piece : pieces_)
        if (piece.phase == Phase::shown && piece.user == chunk &&
            piece.block == offset_bytes / options_.piece_bytes)
            return &piece;
    return nullptr;
}

// A frame beside a shown piece, and poison over one, would be two truths for one block.
void SimDevice::require_pieces_hidden(const char* call, ChunkRef chunk) const {
    for (const Piece& piece : pieces_)
        if (piece.phase == Phase::shown && piece.user == chunk)
            fail("%s: block %u of chunk %u is shown in a piece", call, piece.block,
                 chunk.chunk.value);
}

SimDevice::Piece& SimDevice::begin(const char* call, const PieceRef& ref) {
    if (between_) between_->between();
    trace_.note(call, ref.chunk.session.value, ref.chunk.chunk.value, ref.piece.value);
    (void)at(ref.chunk);  // the program is attached and has such a chunk
    if (ref.piece.value >= pieces_.size()) fail("%s: there is no piece %u", call, ref.piece.value);
    if (ref.block >= options_.traits.chunk_bytes / options_.piece_bytes)
        fail("%s: chunk %u has no block %u", call, ref.chunk.chunk.value, ref.block);
    Piece& piece = pieces_[ref.piece.value];
    if (piece.phase != Phase::closed && (piece.user != ref.chunk || piece.block != ref.block))
        fail("%s: piece %u is not that of chunk %u, block %u", call, ref.piece.value,
             ref.chunk.chunk.value, ref.block);
    return piece;
}

Result<std::span<std::byte>> SimDevice::open(const PieceRef& ref) {
    Piece& piece = begin("open piece", ref);
    if (piece.phase != Phase::closed) fail("open: piece %u is in use", ref.piece.value);
    Chunk& chunk = at(ref.chunk);
    if (chunk.phase != Phase::closed)
        fail("open piece: chunk %u has a frame", ref.chunk.chunk.value);
    require_unused(ref.chunk, piece_bytes_of(ref.piece.value), "open piece", true);
    if (chance(options_.refuse_chance)) {
        faults_.add(Fault::open_refused);
        return Error{Errc::no_memory, 0, "no memory for a piece"};
    }
    piece = {.phase = Phase::opened, .user = ref.chunk, .block = ref.block};
    chunk.read_faults = 0;
    ++pieces_open_;
    return piece_bytes_of(ref.piece.value);
}

Status SimDevice::reveal(const PieceRef& ref) {
    Piece& piece = begin("reveal piece", ref);
    if (piece.phase == Phase::closed) fail("reveal: piece %u is closed", ref.piece.value);
    const Chunk& chunk = at(ref.chunk);
    if (chunk.shown != 0 || chunk.poisoned)
        fail("reveal: chunk %u is shown or poisoned beside its piece", ref.chunk.chunk.value);
    if (piece.phase != Phase::shown)
        require_unused(ref.chunk, piece_bytes_of(ref.piece.value), "reveal piece", true);
    CIUIC_TRY_STATUS(disturbed(ref.chunk));
    piece.phase = Phase::shown;
    wake(ref.chunk, all_blocks_);
    return {};
}

Result<std::span<std::byte>> SimDevice::conceal(const PieceRef& ref) {
    Piece& piece = begin("conceal piece", ref);
    if (piece.phase == Phase::closed) fail("conceal: piece %u is closed", ref.piece.value);
    CIUIC_TRY_STATUS(disturbed(ref.chunk));
    if (piece.phase == Phase::shown) piece.phase = Phase::concealed;
    if (between_) between_->between();
    return piece_bytes_of(ref.piece.value);
}

void SimDevice::close(const PieceRef& ref) {
    Piece& piece = begin("close piece", ref);
    if (piece.phase == Phase::closed) fail("close: piece %u is not in use", ref.piece.value);
    require_unused(ref.chunk, piece_bytes_of(ref.piece.value), "close piece", true);
    piece = {};
    --pieces_open_;
    wake(ref.chunk, all_blocks_);
}

}  // namespace ciuic::sim
