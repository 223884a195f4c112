// SPDX-License-Identifier: Apache-2.0
//
// Which part of each chunk of the program's mappings is still in use.
//
// Of a chunk, one run of bytes is in use: what is unmapped at its ends shortens it, a hole in its
// middle is not remembered (the bytes stay). A chunk whose run is empty is dead.
//
// Not here: what becomes of dead chunks (mappings).
// Threads: one at a time. Memory: one sparse table; no heap.
#pragma once

#include "base/mapping.hpp"

#include <cstdint>

namespace ciuic::interposer {

struct ChunkRun {
    uint32_t first = 0;
    uint32_t count = 0;
};

class MappedChunks {
public:
    // Error: io (no address space).
    static Result<MappedChunks> create(uint32_t chunks, uint64_t chunk_bytes);
    MappedChunks() = default;

    // A mapping of `bytes` bytes begins at chunk `first`, or has this size from now on.
    void set(uint32_t first, uint64_t bytes);

    // First chunk of the mapping that the chunk belongs to; none_index when there is none.
    uint32_t mapping_of(uint32_t chunk) const { return entries()[chunk].owner - 1; }

    // Bytes of the mapping that begins at chunk `first`, if there is one and it has lost nothing
    // but its end; else 0.
    uint64_t whole_bytes(uint32_t first) const;

    // Takes bytes begin .. end - 1 of the chunk out of its mapping. True: the chunk has just died.
    bool take(uint32_t chunk, uint64_t begin, uint64_t end);

    // What becomes of chunks of one mapping that have just died, one behind the other.
    enum class Fate : uint8_t {
        stay,      // dead, inside the mapping
        cut_off,   // no longer part of the mapping, as are dead chunks before them: see `run`
        all_gone,  // there is no mapping any more
    };
    struct Burial {
        Fate fate = Fate::stay;
        ChunkRun run;  // of the dead; all_gone: the whole mapping as it was
    };
    Burial bury(ChunkRun died);

private:
    struct Entry {
        uint32_t owner;  // the mapping's first chunk + 1; 0: no mapping
        uint32_t begin;  // of the bytes in use
        uint32_t end;
        uint32_t alive;  // in the entry of the mapping's first chunk: its chunks that are not dead,
        uint32_t length;  // and all of them
    };

    Entry* entries() const { return reinterpret_cast<Entry*>(table_.data()); }
    bool is_dead(uint32_t chunk) const { return entries()[chunk].begin >= entries()[chunk].end; }

    Mapping table_;
    uint64_t chunk_bytes_ = 0;
};

}  // namespace ciuic::interposer
