// SPDX-License-Identifier: Apache-2.0
//
// What some devices can do besides: show single blocks of a chunk that has no frame. A piece is
// device memory for one block; pieces are a share of the device of their own.
//
//            open            reveal            conceal
//   closed --------> opened --------> shown <---------> concealed
//      ^                '---------------'----- reveal ------'
//      '------------------------------ close, from any -----'
//
// The states mean what they mean for frames (device.hpp). A chunk's frame is revealed, and a chunk
// is poisoned, only while none of its pieces is shown. Writes to a piece are not reported: whether
// its block was written is found by comparing tags.
//
// Adapters: host/embedded, which passes tests/contract/pieces_contract; the simulator's.
//
// Not here: whether a block or the whole chunk is brought in (engine/).
// Threads: one, the engine's. Nothing blocks; nothing allocates memory after construction.
#pragma once

#include "base/result.hpp"
#include "base/units.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

// The piece that the engine assigned to a block of a chunk.
struct PieceRef {
    ChunkRef chunk;
    uint32_t block = 0;  // of piece_bytes each
    PieceIndex piece;
};

class Pieces {
public:
    virtual ~Pieces() = default;

    virtual uint32_t count() const = 0;
    virtual uint64_t piece_bytes() const = 0;

    // The piece's bytes, backed by memory that is present, for the engine alone; content undefined.
    // Errors: no_memory, io.
    virtual Result<std::span<std::byte>> open(const PieceRef& ref) = 0;

    // Shows the block to the program, which may write, and wakes whoever waits at the chunk. Shown
    // already: wakes.
    // Errors: busy (try again), disconnected (the program is gone), io.
    virtual Status reveal(const PieceRef& ref) = 0;

    // Takes the block away from the program and gives its bytes to read; the program's touches of
    // it wait. Concealed already: the same bytes.
    // Errors: busy (pinned by the kernel for someone's I/O; nothing changed), disconnected, io.
    virtual Result<std::span<std::byte>> conceal(const PieceRef& ref) = 0;

    // Gives the piece up, from any state; whoever waits at the chunk is woken and faults anew.
    virtual void close(const PieceRef& ref) = 0;
};

}  // namespace ciuic
