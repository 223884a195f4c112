// SPDX-License-Identifier: Apache-2.0
//
// Chunk table: one record per chunk of one session. apply() is the only writer of state and
// copies.
//
// Not here: memory for the records (the caller's), why a chunk moves (policy/), how (engine/).
// Threads: one, the engine's. Pure: no clock, lock, I/O or allocation.
#pragma once

#include "residency/chunk_record.hpp"

#include <span>

namespace ciuic {

class ChunkTable {
public:
    ChunkTable() = default;
    explicit ChunkTable(std::span<ChunkRecord> records) : records_(records) {}

    uint32_t chunks() const { return static_cast<uint32_t>(records_.size()); }
    const ChunkRecord& operator[](ChunkIndex chunk) const;
    // For the fields beside state and copies.
    ChunkRecord& edit(ChunkIndex chunk);

    // Performs the transition. An event that the table does not allow in the chunk's state is our
    // own bug and stops the program.
    void apply(ChunkIndex chunk, ChunkEvent event);

    // Whether apply() would be allowed.
    bool allows(ChunkIndex chunk, ChunkEvent event) const;

    // The whole record obeys the invariants. `frames` bounds frame numbers.
    bool is_sound(ChunkIndex chunk, uint32_t frames) const;

private:
    std::span<ChunkRecord> records_;
};

}  // namespace ciuic
