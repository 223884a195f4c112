// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded_pieces.hpp"

#include "base/check.hpp"
#include "device/host/userfault.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace ciuic {

EmbeddedPieces::EmbeddedPieces(const EmbeddedPiecesOptions& options, int uffd, int pagemap)
    : space_(options.space), chunk_bytes_(options.chunk_bytes), uffd_(uffd),
      pool_(options.memory, options.piece_bytes, uffd, pagemap), users_(pool_.slots()),
      has_page_table_(space_.size() / chunk_bytes_) {}

uint32_t EmbeddedPieces::slot_of(const PieceRef& ref) const {
    CIUIC_CHECK(ref.piece.value < users_.size() && ref.chunk.session.value == 0);
    const User& user = users_[ref.piece.value];
    CIUIC_CHECK(user.chunk == ref.chunk.chunk.value && user.block == ref.block);
    return ref.piece.value;
}

std::byte* EmbeddedPieces::shown_at(const PieceRef& ref) const {
    return space_.data() + ref.chunk.chunk.value * chunk_bytes_ + ref.block * pool_.slot_bytes();
}

// The whole chunk: whoever waits at another block of it has to ask anew.
void EmbeddedPieces::wake(const PieceRef& ref) const {
    const std::byte* const chunk = space_.data() + ref.chunk.chunk.value * chunk_bytes_;
    (void)userfault::wake(uffd_, reinterpret_cast<uint64_t>(chunk), chunk_bytes_);
}

Result<std::span<std::byte>> EmbeddedPieces::open(const PieceRef& ref) {
    CIUIC_CHECK(ref.piece.value < users_.size() && users_[ref.piece.value].chunk == none_index);
    CIUIC_CHECK(ref.chunk.chunk.value < space_.size() / chunk_bytes_);
    CIUIC_CHECK(ref.block < chunk_bytes_ / pool_.slot_bytes());
    CIUIC_TRY(const std::span<std::byte> bytes, pool_.open(ref.piece.value));
    users_[ref.piece.value] = {ref.chunk.chunk.value, ref.block};
    return bytes;
}

Status EmbeddedPieces::reveal(const PieceRef& ref) {
    const uint32_t slot = slot_of(ref);
    // Shown already: whoever waits met the gap before, or pages that the program discarded since.
    CIUIC_TRY_STATUS(pool_.is_lent(slot) ? pool_.fill_holes(shown_at(ref))
                                         : pool_.lend(slot, shown_at(ref)));
    has_page_table_[ref.chunk.chunk.value] = true;
    wake(ref);
    return {};
}

void EmbeddedPieces::free_page_table(ChunkRef chunk) {
    if (!has_page_table_[chunk.chunk.value]) return;
    // Refused only where the program unmapped a part: then there is no huge page to keep either.
    (void)::madvise(space_.data() + chunk.chunk.value * chunk_bytes_, chunk_bytes_,
                    MADV_DONTNEED_LOCKED);
    has_page_table_[chunk.chunk.value] = false;
}

Result<std::span<std::byte>> EmbeddedPieces::conceal(const PieceRef& ref) {
    const uint32_t slot = slot_of(ref);
    if (pool_.is_lent(slot)) CIUIC_TRY_STATUS(pool_.take_back(slot, shown_at(ref)));
    return pool_.bytes(slot);
}

void EmbeddedPieces::close(const PieceRef& ref) {
    const uint32_t slot = slot_of(ref);
    if (pool_.is_lent(slot)) pool_.force_back(slot, shown_at(ref));
    users_[slot] = {};
    wake(ref);
}

bool EmbeddedPieces::are_all_closed() const {
    return std::all_of(users_.begin(), users_.end(),
                       [](const User& user) { return user.chunk == none_index; });
}

}  // namespace ciuic
