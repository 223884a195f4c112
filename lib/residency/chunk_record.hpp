// SPDX-License-Identifier: Apache-2.0
//
// What is known about one chunk: a plain 64-byte struct that lives in a memfd, so that a restarted
// daemon can take it over.
#pragma once

#include "base/units.hpp"
#include "residency/chunk_state.hpp"

#include <cstdint>
#include <type_traits>

namespace ciuic {

// Facts beside the state, each with its invariant (verify.cpp).
struct ChunkFlags {
    static constexpr uint8_t wanted = 1;        // in the queue of chunks that the program waits for
    static constexpr uint8_t doomed = 2;        // in a move, given up as soon as the move ends
    static constexpr uint8_t kept = 4;          // the place still holds the bytes its tags describe
    static constexpr uint8_t write_wanted = 8;  // the program waits to write
    static constexpr uint8_t poisoned = 16;     // the device answers every access with a failure
    static constexpr uint8_t dense = 64;        // touched at two blocks at once: needed whole
    static constexpr uint8_t cleared = 32;      // doomed, to become empty instead of vacant
};

struct ChunkRecord {
    ChunkState state;
    Copies copies;
    uint8_t flags;
    uint8_t cause;              // Cause of the last move (cause.hpp)
    uint32_t frame;             // FrameIndex, none_index without one
    uint32_t place_first;       // Extent in the store, in granules
    uint32_t place_granules;    // 0: no place
    uint32_t generation;        // of the bytes in the place; grows with every write to the store
    uint32_t move;              // MoveIndex, none_index without one
    uint32_t next_wanted;       // ChunkIndex of the same session's next wanted chunk, or none_index
    uint32_t wanted_block;      // the block touched first by whoever waits
    int64_t wanted_since_ns;    // when the program began to wait; 0 when it does not
    uint64_t left_at;           // the engine's count of evictions when this chunk last left
    uint32_t shown_blocks;      // of a sparse chunk, those that are in its frame; a bit for each
    uint32_t first_piece;       // PieceIndex of the first of its pieces, where copies has any
    uint32_t piece_left_block;  // the block whose piece left last, plus one; 0: none has
    uint32_t piece_left_at;     // the engine's count of pieces that came in by then
};
static_assert(sizeof(ChunkRecord) == 64);
static_assert(std::is_trivially_copyable_v<ChunkRecord> && std::is_standard_layout_v<ChunkRecord>);
// Fresh memory (zeros) is a vacant chunk.
static_assert(static_cast<uint8_t>(ChunkState::vacant) == 0);

}  // namespace ciuic
