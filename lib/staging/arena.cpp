// SPDX-License-Identifier: Apache-2.0
#include "staging/arena.hpp"

#include "base/units.hpp"

#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>

namespace ciuic {

namespace {

Status advise(std::span<std::byte> memory, int advice, const char* what) {
    if (::madvise(memory.data(), memory.size(), advice) != 0) return os_refusal(what, errno);
    return {};
}

Status touch(std::span<std::byte> memory, uint64_t page_bytes) {
    if (::madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE) == 0) return {};
    if (errno == ENOMEM) return Error{Errc::no_memory, ENOMEM, "staging memory"};
    if (errno != EINVAL) return os_refusal("madvise (MADV_POPULATE_WRITE)", errno);
    // Before Linux 5.14: by hand.
    for (uint64_t offset = 0; offset < memory.size(); offset += page_bytes)
        *const_cast<volatile std::byte*>(&memory[offset]) = std::byte{0};
    return {};
}

// Sums AnonHugePages over the kernel's mappings that hold the range. A neighbour of the same kind
// may be merged into one of them, so the whole of each must be huge.
bool is_all_huge(std::span<const std::byte> memory) {
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    const std::unique_ptr<std::FILE, Close> smaps(std::fopen("/proc/self/smaps", "re"));
    if (!smaps) return false;
    const auto begin = reinterpret_cast<uintptr_t>(memory.data());
    const uintptr_t end = begin + memory.size();
    uint64_t mapped_bytes = 0;
    uint64_t huge_bytes = 0;
    bool inside = false;
    char line[512];
    while (std::fgets(line, sizeof line, smaps.get())) {
        uintptr_t from = 0;
        uintptr_t to = 0;
        uint64_t huge_kib = 0;
        if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
            inside = from < end && to > begin;
            if (inside) mapped_bytes += to - from;
        } else if (inside && std::sscanf(line, "AnonHugePages: %" SCNu64 " kB", &huge_kib) == 1) {
            huge_bytes += huge_kib * KiB;
        }
    }
    return mapped_bytes > 0 && huge_bytes >= mapped_bytes;
}

}  // namespace

Result<Arena> create_arena(Topology& topology, const ArenaOptions& options) {
    const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (options.size_bytes == 0 || options.size_bytes % page_bytes != 0)
        return Error{Errc::invalid, 0, "arena: size must be a multiple of the page size"};
    if (!is_power_of_two(options.alignment_bytes) || options.alignment_bytes < page_bytes)
        return Error{Errc::invalid, 0, "arena: alignment must be a power of two, at least a page"};
    if (options.node >= topology.nodes())
        return Error{Errc::invalid, 0, "arena: no such NUMA node"};

    Arena arena;
    arena.node = options.node;
    auto mapped = Mapping::create_aligned(options.size_bytes, options.alignment_bytes,
                                          PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (!mapped.has_value() && mapped.error().os_error == ENOMEM)
        return Error{Errc::no_memory, ENOMEM, "staging memory"};
    CIUIC_TRY(arena.memory, std::move(mapped));
    const std::span<std::byte> bytes = arena.memory.bytes();

    CIUIC_TRY_STATUS(topology.bind(bytes, options.node));
    // A kernel without transparent huge pages refuses this; `huge` then says so.
    (void)::madvise(bytes.data(), bytes.size(), MADV_HUGEPAGE);
    CIUIC_TRY_STATUS(advise(bytes, MADV_DONTFORK, "madvise (MADV_DONTFORK)"));
    CIUIC_TRY_STATUS(advise(bytes, MADV_DONTDUMP, "madvise (MADV_DONTDUMP)"));
    CIUIC_TRY_STATUS(touch(bytes, page_bytes));
    arena.huge = is_all_huge(bytes);
    arena.locked = options.lock && ::mlock(bytes.data(), bytes.size()) == 0;
    return Result<Arena>(std::move(arena));
}

}  // namespace ciuic
