// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.hpp"

#include "tests/sim/trace.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstring>

namespace ciuic::sim {

Oracle::Oracle(uint32_t programs, uint32_t chunks, uint64_t chunk_bytes)
    : chunks_(chunks), words_(static_cast<uint32_t>(chunk_bytes / sizeof(uint64_t))),
      table_(size_t{programs} * chunks), values_(table_.size() * words_), doubts_(values_.size()) {}

size_t Oracle::index_of(uint32_t program, uint32_t chunk) const {
    const size_t index = size_t{program} * chunks_ + chunk;
    if (chunk >= chunks_ || index >= table_.size())
        fail("the oracle knows no chunk %u of program %u", chunk, program);
    return index;
}

Oracle::Chunk& Oracle::at(uint32_t program, uint32_t chunk) {
    return table_[index_of(program, chunk)];
}

const Oracle::Chunk& Oracle::at(uint32_t program, uint32_t chunk) const {
    return table_[index_of(program, chunk)];
}

void Oracle::begin(uint32_t program) {
    for (uint32_t chunk = 0; chunk < chunks_; ++chunk) at(program, chunk) = {};
}

void Oracle::promised(uint32_t program, uint32_t chunk) {
    Chunk& facts = at(program, chunk);
    if (facts.mode != Mode::vacant && facts.discards == 0)
        fail("program %u: chunk %u was promised twice", program, chunk);
    // A discard that is under way has been carried out, else the promise would have been refused.
    facts.mode = Mode::live;
    facts.lost = facts.refused = false;
    make_zero(program, chunk);
    // Clears that were asked for before may still come over it.
    if (facts.clears > 0) doubt(program, chunk);
}

void Oracle::make_zero(uint32_t program, uint32_t chunk) {
    const size_t first = index_of(program, chunk) * words_;
    std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(first), words_, 0);
    std::fill_n(doubts_.begin() + static_cast<std::ptrdiff_t>(first), words_, Doubt::none);
    at(program, chunk).doubtful = false;
}

void Oracle::doubt(uint32_t program, uint32_t chunk) {
    const size_t first = index_of(program, chunk) * words_;
    std::fill_n(doubts_.begin() + static_cast<std::ptrdiff_t>(first), words_, Doubt::cleared);
    at(program, chunk).doubtful = true;
}

void Oracle::clear_begins(uint32_t program, uint32_t chunk) {
    Chunk& facts = at(program, chunk);
    ++facts.clears;
    ++facts.changes;
    doubt(program, chunk);
}

void Oracle::clear_ends(uint32_t program, uint32_t chunk, bool applied) {
    Chunk& facts = at(program, chunk);
    if (facts.clears == 0) fail("a clear ends that has not begun");
    --facts.clears;
    ++facts.changes;
    if (!applied) return;
    if (facts.clears == 0) {
        const size_t first = index_of(program, chunk) * words_;
        for (size_t word = first; word < first + words_; ++word) {
            if (doubts_[word] != Doubt::cleared) continue;
            values_[word] = 0;
            doubts_[word] = Doubt::none;
        }
    }
    facts.lost = false;
}

void Oracle::discard_begins(uint32_t program, uint32_t chunk) {
    Chunk& facts = at(program, chunk);
    ++facts.discards;
    ++facts.changes;
}

void Oracle::discard_ends(uint32_t program, uint32_t chunk) {
    Chunk& facts = at(program, chunk);
    if (facts.discards == 0) fail("a discard ends that has not begun");
    --facts.discards;
    ++facts.changes;
    facts.mode = Mode::vacant;
}

bool Oracle::is_live(uint32_t program, uint32_t chunk) const {
    const Chunk& facts = at(program, chunk);
    return facts.mode == Mode::live && facts.discards == 0;
}

bool Oracle::is_vacant(uint32_t program, uint32_t chunk) const {
    const Chunk& facts = at(program, chunk);
    return facts.mode == Mode::vacant && facts.discards == 0;
}

bool Oracle::is_quiet(uint32_t program, uint32_t chunk) const {
    const Chunk& facts = at(program, chunk);
    return facts.clears == 0 && facts.discards == 0;
}

bool Oracle::is_lost(uint32_t program, uint32_t chunk) const { return at(program, chunk).lost; }

uint32_t Oracle::changes(uint32_t program, uint32_t chunk) const {
    return at(program, chunk).changes;
}

uint32_t Oracle::promised_min(uint32_t program) const {
    uint32_t count = 0;
    for (uint32_t chunk = 0; chunk < chunks_; ++chunk)
        if (is_live(program, chunk)) ++count;
    return count;
}

uint32_t Oracle::promised_max(uint32_t program) const {
    uint32_t count = 0;
    for (uint32_t chunk = 0; chunk < chunks_; ++chunk)
        if (!is_vacant(program, chunk)) ++count;
    return count;
}

void Oracle::wrote(uint32_t program, uint32_t chunk, uint32_t word,
                   std::span<const uint64_t> values) {
    const Chunk& facts = at(program, chunk);
    if (is_vacant(program, chunk)) fail("program %u wrote to vacant chunk %u", program, chunk);
    if (facts.lost && is_quiet(program, chunk))
        fail("program %u wrote to lost chunk %u", program, chunk);
    const size_t first = index_of(program, chunk) * words_ + word;
    std::copy(values.begin(), values.end(), values_.begin() + static_cast<std::ptrdiff_t>(first));
    if (!facts.doubtful) return;
    std::fill_n(doubts_.begin() + static_cast<std::ptrdiff_t>(first), values.size(),
                facts.clears > 0 ? Doubt::after : Doubt::none);
}

uint64_t Oracle::value(uint32_t program, uint32_t chunk, uint32_t word) const {
    return values_[index_of(program, chunk) * words_ + word];
}

void Oracle::check_read(uint32_t program, uint32_t chunk, uint32_t word,
                        std::span<const uint64_t> values) {
    Chunk& facts = at(program, chunk);
    if (is_vacant(program, chunk)) fail("program %u read vacant chunk %u", program, chunk);
    if (facts.lost && is_quiet(program, chunk))
        fail("program %u read lost chunk %u", program, chunk);
    facts.refused = false;
    words_checked_ += values.size();
    const uint64_t* const expected = &values_[index_of(program, chunk) * words_ + word];
    if (!facts.doubtful && std::memcmp(expected, values.data(), values.size_bytes()) == 0) return;
    for (uint32_t index = 0; index < values.size(); ++index)
        check_word(program, chunk, word + index, values[index]);
}

void Oracle::check_word(uint32_t program, uint32_t chunk, uint32_t word, uint64_t seen) {
    const Chunk& facts = at(program, chunk);
    const size_t index = index_of(program, chunk) * words_ + word;
    const bool was_zeroed = seen == 0 && doubts_[index] != Doubt::none;
    if (seen != values_[index] && !was_zeroed)
        fail("program %u, chunk %u, word %u: read %016" PRIx64 ", last written %016" PRIx64
             " (clears under way: %u, discards: %u)",
             program, chunk, word, seen, values_[index], facts.clears, facts.discards);
    if (facts.clears > 0) return;
    // Nothing is under way any more: what is read now is read from now on.
    values_[index] = seen;
    doubts_[index] = Doubt::none;
}

void Oracle::check_failed(uint32_t program, uint32_t chunk, Excuse excuse) {
    Chunk& facts = at(program, chunk);
    if (facts.mode == Mode::vacant || facts.discards > 0) return;
    if (facts.lost || facts.refused) return;
    switch (excuse) {
    case Excuse::damage:
        // Whether the clear comes before or after the loss is not known.
        if (facts.clears > 0)
            facts.refused = true;
        else
            facts.lost = true;
        ++losses_;
        return;
    case Excuse::expired: facts.refused = true; return;
    case Excuse::none:
        fail("program %u: access to chunk %u failed, and no injected fault explains it", program,
             chunk);
    }
}

}  // namespace ciuic::sim
