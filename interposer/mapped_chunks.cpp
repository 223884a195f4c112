// SPDX-License-Identifier: Apache-2.0
#include "interposer/mapped_chunks.hpp"

#include "base/check.hpp"
#include "base/units.hpp"

#include <algorithm>

namespace ciuic::interposer {

Result<MappedChunks> MappedChunks::create(uint32_t chunks, uint64_t chunk_bytes) {
    MappedChunks made;
    CIUIC_TRY(made.table_, Mapping::create(uint64_t{chunks} * sizeof(Entry), PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
    made.chunk_bytes_ = chunk_bytes;
    return made;
}

void MappedChunks::set(uint32_t first, uint64_t bytes) {
    CIUIC_CHECK(bytes > 0);
    const auto length = static_cast<uint32_t>(round_up(bytes, chunk_bytes_) / chunk_bytes_);
    for (uint32_t index = 0; index < length; ++index) {
        const uint64_t left = bytes - index * chunk_bytes_;
        entries()[first + index] = {.owner = first + 1,
                                    .begin = 0,
                                    .end = static_cast<uint32_t>(std::min(left, chunk_bytes_)),
                                    .alive = length,
                                    .length = length};
    }
}

uint64_t MappedChunks::whole_bytes(uint32_t first) const {
    if (mapping_of(first) != first) return 0;
    const uint32_t length = entries()[first].length;
    for (uint32_t chunk = first; chunk < first + length; ++chunk) {
        const bool last = chunk == first + length - 1;
        const Entry& entry = entries()[chunk];
        if (entry.begin != 0 || is_dead(chunk) || (!last && entry.end != chunk_bytes_)) return 0;
    }
    return (length - 1) * chunk_bytes_ + entries()[first + length - 1].end;
}

bool MappedChunks::take(uint32_t chunk, uint64_t begin, uint64_t end) {
    if (mapping_of(chunk) == none_index || is_dead(chunk)) return false;
    Entry& entry = entries()[chunk];
    if (begin <= entry.begin)
        entry.begin = std::max(entry.begin, static_cast<uint32_t>(end));
    else if (end >= entry.end)
        entry.end = std::min(entry.end, static_cast<uint32_t>(begin));
    return is_dead(chunk);
}

MappedChunks::Burial MappedChunks::bury(ChunkRun died) {
    const uint32_t mapping = mapping_of(died.first);
    Entry& head = entries()[mapping];
    CIUIC_CHECK(head.alive >= died.count);
    head.alive -= died.count;
    Burial burial{Fate::stay, died};
    if (head.alive == 0) {
        burial = {Fate::all_gone, {mapping, head.length}};
    } else if (died.first + died.count == mapping + head.length) {
        // Those before them that died earlier leave too; the mapping has a live chunk further up.
        while (is_dead(burial.run.first - 1)) {
            --burial.run.first;
            ++burial.run.count;
        }
        burial.fate = Fate::cut_off;
        head.length -= burial.run.count;
    }
    if (burial.fate != Fate::stay)
        for (uint32_t index = 0; index < burial.run.count; ++index)
            entries()[burial.run.first + index] = {};
    return burial;
}

}  // namespace ciuic::interposer
