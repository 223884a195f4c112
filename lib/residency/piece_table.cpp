// SPDX-License-Identifier: Apache-2.0
#include "residency/piece_table.hpp"

#include "base/check.hpp"

namespace ciuic {

PieceTable::PieceTable(std::span<Piece> pieces) : pieces_(pieces), free_(this->pieces()) {
    for (uint32_t index = this->pieces(); index-- > 0;) {
        pieces_[index] = Piece{};
        pieces_[index].next = first_free_;
        first_free_ = index;
    }
}

Piece& PieceTable::at(PieceIndex piece) const {
    CIUIC_CHECK(piece.value < pieces_.size());
    return pieces_[piece.value];
}

PieceIndex PieceTable::take(ChunkRef owner, uint32_t block) {
    CIUIC_CHECK(free_ > 0 && first_free_ != none_index);
    const PieceIndex piece{first_free_};
    Piece& entry = at(piece);
    CIUIC_CHECK(!entry.held);
    first_free_ = entry.next;
    --free_;
    entry = {.owner = owner, .block = block, .next = none_index, .held = true};
    return piece;
}

void PieceTable::give_back(PieceIndex piece) {
    Piece& entry = at(piece);
    CIUIC_CHECK(entry.held);
    entry = {.owner = {}, .block = 0, .next = first_free_, .held = false};
    first_free_ = piece.value;
    ++free_;
}

void PieceTable::link(uint32_t& first, PieceIndex piece) {
    Piece& entry = at(piece);
    CIUIC_CHECK(entry.held && entry.next == none_index);
    entry.next = first;
    first = piece.value;
}

void PieceTable::unlink(uint32_t& first, PieceIndex piece) {
    uint32_t* link = &first;
    while (*link != piece.value) link = &at(PieceIndex{*link}).next;
    *link = at(piece).next;
    at(piece).next = none_index;
}

}  // namespace ciuic
