// SPDX-License-Identifier: Apache-2.0
//
// Oracle: what every byte of every program must read as.
//
// It knows what programs wrote, cleared and gave up, and nothing of how the engine keeps it. Each
// read is judged at once: exactly the bytes last written, or a loud failure that an injected fault
// explains. While a clear is under way its chunks may read as before or as zero; while a discard is
// under way, as before or not at all.
//
// Memory is kept as words of 8 bytes; programs write whole words.
// Threads: one.
#pragma once

#include "tests/sim/marks.hpp"
#include "tests/sim/parts.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace ciuic::sim {

// Why an access may fail loudly though its chunk is promised.
enum class Excuse : uint8_t {
    none,
    damage,   // an injected fault can have destroyed the bytes
    expired,  // the wait for a frame reached its deadline; the bytes are not lost
};

class Oracle {
public:
    Oracle(uint32_t programs, uint32_t chunks, uint64_t chunk_bytes);

    uint32_t words_per_chunk() const { return words_; }

    // A new life of program `program`: nothing is promised.
    void begin(uint32_t program);

    void promised(uint32_t program, uint32_t chunk);
    void clear_begins(uint32_t program, uint32_t chunk);
    // `applied`: the clear was answered with success.
    void clear_ends(uint32_t program, uint32_t chunk, bool applied);
    void discard_begins(uint32_t program, uint32_t chunk);
    void discard_ends(uint32_t program, uint32_t chunk);

    // The chunk is surely promised, and no discard of it is under way.
    bool is_live(uint32_t program, uint32_t chunk) const;
    // Neither promised nor about to be: an access fails.
    bool is_vacant(uint32_t program, uint32_t chunk) const;
    // Neither a clear nor a discard is under way.
    bool is_quiet(uint32_t program, uint32_t chunk) const;
    bool is_lost(uint32_t program, uint32_t chunk) const;
    // Changes with every clear and discard of the chunk.
    uint32_t changes(uint32_t program, uint32_t chunk) const;
    // What is surely, and what may be, promised.
    uint32_t promised_min(uint32_t program) const;
    uint32_t promised_max(uint32_t program) const;

    void wrote(uint32_t program, uint32_t chunk, uint32_t word, std::span<const uint64_t> values);
    // What a write that changes nothing would write.
    uint64_t value(uint32_t program, uint32_t chunk, uint32_t word) const;

    // A read gave `values`. Ends the run where they are not allowed.
    void check_read(uint32_t program, uint32_t chunk, uint32_t word,
                    std::span<const uint64_t> values);
    // An access failed loudly. Ends the run where nothing explains it.
    void check_failed(uint32_t program, uint32_t chunk, Excuse excuse);

    uint64_t losses() const { return losses_; }
    uint64_t words_checked() const { return words_checked_; }

private:
    enum class Mode : uint8_t { vacant, live };
    // Of a word: whether it may read as zero instead of its value.
    enum class Doubt : uint8_t {
        none,
        cleared,  // a clear is under way, or ended without an answer
        after,    // written after a clear began: the clear may come before or after the write
    };

    struct Chunk {
        Mode mode = Mode::vacant;
        bool lost = false;
        bool refused = false;  // it failed, and may do so until it is served again
        uint16_t clears = 0;   // under way
        uint16_t discards = 0;
        bool doubtful = false;  // some word's doubt is not `none`
        uint32_t changes = 0;
    };

    Chunk& at(uint32_t program, uint32_t chunk);
    const Chunk& at(uint32_t program, uint32_t chunk) const;
    size_t index_of(uint32_t program, uint32_t chunk) const;
    void doubt(uint32_t program, uint32_t chunk);
    void make_zero(uint32_t program, uint32_t chunk);
    void check_word(uint32_t program, uint32_t chunk, uint32_t word, uint64_t seen);

    uint32_t chunks_;
    uint32_t words_;  // per chunk
    std::vector<Chunk> table_;
    std::vector<uint64_t> values_;
    std::vector<Doubt> doubts_;
    uint64_t losses_ = 0;
    uint64_t words_checked_ = 0;
};

}  // namespace ciuic::sim
