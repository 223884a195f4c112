// SPDX-License-Identifier: Apache-2.0
#include "interposer/mappings.hpp"

#include "base/units.hpp"
#include "interposer/mapped_chunks.hpp"
#include "interposer/runtime.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

namespace ciuic::interposer {
namespace {

// Held while the engine is asked to give chunks up: until it has, they are not for anybody else.
std::mutex mutex;
MappedChunks mapped;
SessionSpace space;

uint64_t offset_of(const void* address) {
    return reinterpret_cast<uintptr_t>(address) - space.base;
}
uint32_t chunk_of(uint64_t offset) { return static_cast<uint32_t>(offset / space.chunk_bytes); }
void* address_of(uint64_t offset) { return reinterpret_cast<void*>(space.base + offset); }
void* address_of(uint32_t chunk) { return address_of(chunk * space.chunk_bytes); }

bool advise(uint64_t begin, uint64_t end, ciuic_advice advice) {
    const ciuic_range range{nullptr, space.base + begin, end - begin};
    return ciuic_advise(space.session, &range, 1, advice) == CIUIC_OK;
}

void give_up(ChunkRun died) {
    if (died.count == 0) return;
    const uint32_t mapping = mapped.mapping_of(died.first);
    const auto [fate, run] = mapped.bury(died);
    restore_protection(address_of(run.first), run.count * space.chunk_bytes);
    switch (fate) {
    case MappedChunks::Fate::stay:
        advise(run.first * space.chunk_bytes, (run.first + run.count) * space.chunk_bytes,
               CIUIC_ADVICE_DISCARD);
        break;
    case MappedChunks::Fate::cut_off:
        ciuic_alloc_resize(space.session, address_of(mapping),
                           (run.first - mapping) * space.chunk_bytes);
        break;
    case MappedChunks::Fate::all_gone: free_large(address_of(mapping)); break;
    }
}

// Whatever is known as a mapping. Neighbours of one mapping that die together are given up
// together.
void take_out(uint64_t begin, uint64_t end) {
    ChunkRun died;
    for (uint64_t at = begin; at < end;) {
        const uint32_t chunk = chunk_of(at);
        const uint64_t start = chunk * space.chunk_bytes;
        const uint64_t stop = std::min(end, start + space.chunk_bytes);
        if (mapped.take(chunk, at - start, stop - start)) {
            const bool joins = died.count > 0 && died.first + died.count == chunk &&
                               mapped.mapping_of(died.first) == mapped.mapping_of(chunk);
            if (!joins) give_up(std::exchange(died, {chunk, 0}));
            ++died.count;
        }
        at = stop;
    }
    give_up(died);
}

// By a system call, which fails where the program has taken the right to write away.
bool write_zeros(uint64_t begin, uint64_t end) {
    if (begin == end) return true;
    const int zeros = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (zeros < 0) return false;
    while (begin < end) {
        const ssize_t done = ::read(zeros, address_of(begin), end - begin);
        if (done <= 0) break;
        begin += static_cast<uint64_t>(done);
    }
    ::close(zeros);
    return begin >= end;
}

}  // namespace

bool prepare_mappings(const SessionSpace& opened) {
    const auto chunks = static_cast<uint32_t>(opened.bytes / opened.chunk_bytes);
    auto made = MappedChunks::create(chunks, opened.chunk_bytes);
    if (!made) return false;
    mapped = *std::move(made);
    space = opened;
    return true;
}

void forget_mappings() {
    // Whoever held it in the parent is not here to let go of it.
    new (&mutex) std::mutex;
    mapped = {};
}

Large map_large(size_t bytes) {
    const Large large = allocate_large(bytes, 1);
    if (large.verdict != Verdict::served) return large;
    const InsideCiuic inside;
    const std::lock_guard lock(mutex);
    mapped.set(chunk_of(offset_of(large.address)), bytes);
    return large;
}

void unmap_large(void* address, size_t bytes) {
    const InsideCiuic inside;
    const std::lock_guard lock(mutex);
    const uint64_t begin = offset_of(address);
    take_out(begin, std::min(begin + bytes, space.bytes));
}

bool remap_large(void* address, size_t old_bytes, size_t new_bytes) {
    const InsideCiuic inside;
    const std::lock_guard lock(mutex);
    const uint64_t begin = offset_of(address);
    if (new_bytes <= old_bytes) {
        take_out(begin + new_bytes, std::min(begin + old_bytes, space.bytes));
        return true;
    }
    const uint32_t first = chunk_of(begin);
    if (begin % space.chunk_bytes != 0 || mapped.whole_bytes(first) != old_bytes) return false;
    // An end that was unmapped has left its bytes in the last chunk.
    const uint64_t behind = begin + old_bytes;
    if (!write_zeros(behind, std::min(begin + new_bytes, round_up(behind, space.chunk_bytes))))
        return false;
    if (ciuic_alloc_resize(space.session, address, new_bytes) != CIUIC_OK) return false;
    mapped.set(first, new_bytes);
    return true;
}

bool clear_large(void* address, size_t bytes) {
    const InsideCiuic inside;
    const uint64_t begin = offset_of(address);
    const uint64_t end = begin + bytes;
    if (end < begin || end > space.bytes) return false;
    const uint64_t inner_begin = round_up(begin, space.chunk_bytes);
    const uint64_t inner_end = end / space.chunk_bytes * space.chunk_bytes;
    if (inner_begin > inner_end) return write_zeros(begin, end);
    if (!write_zeros(begin, inner_begin) || !write_zeros(inner_end, end)) return false;
    return inner_begin == inner_end || advise(inner_begin, inner_end, CIUIC_ADVICE_DISCARD);
}

void prefetch_large(void* address, size_t bytes) {
    const InsideCiuic inside;
    const uint64_t begin = offset_of(address);
    if (bytes > 0 && bytes <= space.bytes - begin)
        advise(begin, begin + bytes, CIUIC_ADVICE_WILLNEED);
}

}  // namespace ciuic::interposer
