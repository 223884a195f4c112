// SPDX-License-Identifier: Apache-2.0
//
// Move: one chunk's journey between tiers, with an explicit stage.
//
//   fill    zeroing -> showing
//   fetch   read_wanted -> reading -> (hashing) -> showing
//   evict   hashing -> write_wanted -> writing
//   grow        read_wanted -> reading -> showing
//   piece_in    read_wanted -> reading -> showing
//   piece_out   write_wanted -> writing -> showing (where the write failed)
//
// A stage ends when its completion arrives (store, worker) or, for *_wanted and showing, at the
// next tick: those wait for a queue or for a device that is busy.
#pragma once

#include "base/units.hpp"
#include "residency/cause.hpp"
#include "store/extent.hpp"

#include <cstddef>
#include <span>

namespace ciuic {

enum class MoveKind : uint8_t { fill, fetch, evict, grow, piece_in, piece_out };

enum class MoveStage : uint8_t {
    idle,          // the record is free
    zeroing,       // a worker writes zeros
    read_wanted,   // the next part of the read waits for a place in the store's queue
    reading,       // all parts have been handed to the store
    hashing,       // a worker computes content hashes
    showing,       // the device was busy; reveal or restore is tried again
    write_wanted,  // as read_wanted
    writing,
};

// A chunk that the program waits for is read in slices, so that each is hashed while the next is on
// its way. The parts of a read: the block that is shown first; then, of every slice, what lies
// before that block and what lies behind it. Most of them are empty.
inline constexpr uint32_t read_slices_max = 4;
inline constexpr uint32_t read_parts = 1 + 2 * read_slices_max;

struct ReadPart {
    uint64_t offset_bytes = 0;
    uint64_t length_bytes = 0;
};

struct Move {
    MoveKind kind = MoveKind::fill;
    MoveStage stage = MoveStage::idle;
    Cause cause = Cause::fault;
    uint8_t tries = 0;  // repeats after a failed tag or write
    ChunkRef chunk;
    FrameIndex frame;
    PieceIndex piece;  // of piece_in and piece_out
    Extent place;
    std::span<std::byte> bytes;         // the frame's (empty: it is not open yet), or the piece's;
                                        // of grow a bounce buffer's
    std::span<std::byte> target;        // of grow: where they go; empty until it is opened
    std::span<std::byte> bounce;        // of fetch: what its first part is read into; or empty
    uint32_t first_block = none_index;  // read and shown first; none_index: the chunk as a whole.
                                        // Of grow and of a piece: its block
    uint32_t slices = 1;                // of a fetch; 1 or read_slices_max
    uint16_t parts_left = 0;            // bit per part still to be submitted
    uint16_t parts_flying = 0;          // bit per part the store has
    uint16_t parts_unhashed = 0;        // bit per part that a worker has still to look at
    uint64_t reading_bytes = 0;         // counted in its session's reads
    bool read_failed = false;
    bool client_failed = false;  // a transfer failed at the memory, not at the disk
    bool first_shown = false;    // the first block is visible to the program
    bool demanded = false;       // the program waits: show when done
    bool touched = false;        // of these waits, one at least is a touch
    bool overdue = false;        // who waited has been answered: nothing is to be shown at the end
    bool recalled = false;       // evict: give the chunk back as soon as possible
    bool compares = false;       // evict: hashes are compared with the kept tags first
    Nanos started;
};

}  // namespace ciuic
