// SPDX-License-Identifier: Apache-2.0
//
// Piece table: which block of which chunk has which piece of one device. A piece is device memory
// for one block, for chunks that are touched here and there.
//
// Not here: the memory behind a piece (device/), which piece to empty (engine/planning).
// Threads: one, the engine's. Pure: works in memory that the caller gives it.
#pragma once

#include "base/units.hpp"

#include <span>

namespace ciuic {

struct Piece {
    ChunkRef owner;
    uint32_t block = 0;          // of the owner
    uint32_t next = none_index;  // of the same owner, or among the free pieces
    bool held = false;           // a block has it
    bool refused = false;        // its block did not take its bytes: it leaves with its chunk only
};

class PieceTable {
public:
    PieceTable() = default;
    explicit PieceTable(std::span<Piece> pieces);

    uint32_t pieces() const { return static_cast<uint32_t>(pieces_.size()); }
    uint32_t free() const { return free_; }
    const Piece& operator[](PieceIndex piece) const { return at(piece); }

    // Precondition: free() > 0.
    PieceIndex take(ChunkRef owner, uint32_t block);
    void give_back(PieceIndex piece);
    void mark_refused(PieceIndex piece) { at(piece).refused = true; }

    // A chunk's pieces are a list; `first` is its head, kept in the chunk's record.
    void link(uint32_t& first, PieceIndex piece);
    // The piece is in the list.
    void unlink(uint32_t& first, PieceIndex piece);

private:
    Piece& at(PieceIndex piece) const;

    std::span<Piece> pieces_;
    uint32_t first_free_ = none_index;
    uint32_t free_ = 0;
};

}  // namespace ciuic
