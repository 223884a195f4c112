// SPDX-License-Identifier: Apache-2.0
//
// The pieces of the embedded host device: single blocks of the program's address space, lent from a
// pool of their own. Pages of a huge page that once left alone are small ones for good, so frames
// never lend parts of themselves; they stay neighbours in physical memory, so the disk still moves
// a piece at once.
//
// Not here: frames (embedded), the moving of pages (lending_pool).
// Threads: as the device's.
#pragma once

#include "device/host/lending_pool.hpp"
#include "device/pieces.hpp"

#include <vector>

namespace ciuic {

struct EmbeddedPiecesOptions {
    std::span<std::byte> memory;  // whole pieces; as EmbeddedHostOptions::arena is
    std::span<std::byte> space;   // the program's
    uint64_t chunk_bytes = 0;
    uint64_t piece_bytes = 0;  // divides chunk_bytes; whole pages
};

class EmbeddedPieces final : public Pieces {
public:
    EmbeddedPieces(const EmbeddedPiecesOptions& options, int uffd, int pagemap);

    uint32_t count() const override { return pool_.slots(); }
    uint64_t piece_bytes() const override { return pool_.slot_bytes(); }
    Result<std::span<std::byte>> open(const PieceRef& ref) override;
    Status reveal(const PieceRef& ref) override;
    Result<std::span<std::byte>> conceal(const PieceRef& ref) override;
    void close(const PieceRef& ref) override;

    // Before a frame is lent to the chunk: small pages have left a page table there, and with one
    // in place the frame's huge page would be split. Linux frees it from 6.14 on.
    // Precondition: none of the chunk's pieces is shown.
    void free_page_table(ChunkRef chunk);

    bool are_all_closed() const;

private:
    struct User {
        uint32_t chunk = none_index;
        uint32_t block = 0;
    };

    uint32_t slot_of(const PieceRef& ref) const;
    std::byte* shown_at(const PieceRef& ref) const;
    void wake(const PieceRef& ref) const;

    std::span<std::byte> space_;
    uint64_t chunk_bytes_;
    int uffd_;
    LendingPool pool_;
    std::vector<User> users_;
    std::vector<bool> has_page_table_;  // by chunk: a piece has been there since the last frame
};

}  // namespace ciuic
