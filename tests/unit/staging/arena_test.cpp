// SPDX-License-Identifier: Apache-2.0
#include "staging/arena.hpp"

#include "base/units.hpp"
#include "tests/support/fake_topology.hpp"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace ciuic::test {
namespace {

// The fields of /proc/self/smaps for the mapping that holds `address`.
struct MappingFacts {
    std::string flags;  // VmFlags
    uint64_t size_kib = 0;
    uint64_t resident_kib = 0;
    uint64_t huge_kib = 0;
};

MappingFacts facts_of(const void* address) {
    const auto wanted = reinterpret_cast<uintptr_t>(address);
    MappingFacts facts;
    std::ifstream smaps("/proc/self/smaps");
    bool inside = false;
    for (std::string line; std::getline(smaps, line);) {
        uintptr_t from = 0;
        uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
            inside = from <= wanted && wanted < to;
        if (!inside) continue;
        std::sscanf(line.c_str(), "Size: %" SCNu64, &facts.size_kib);
        std::sscanf(line.c_str(), "Rss: %" SCNu64, &facts.resident_kib);
        std::sscanf(line.c_str(), "AnonHugePages: %" SCNu64, &facts.huge_kib);
        if (line.starts_with("VmFlags:")) facts.flags = line;
    }
    return facts;
}

bool has_flag(const MappingFacts& facts, const std::string& flag) {
    return facts.flags.find(" " + flag) != std::string::npos;
}

// Goal: the memory is bound before its first page exists, all of it and nothing else, and every
// page is there at the end. Method: the fake records what it was asked and looks at the pages.
TEST(Arena, IsBoundWholeBeforeItIsTouched) {
    FakeTopology topology = FakeTopology::two_nodes();
    const auto arena =
        create_arena(topology, {.size_bytes = 3 * MiB, .alignment_bytes = 2 * MiB, .node = 1});
    ASSERT_TRUE(arena.has_value());
    EXPECT_EQ(arena->node, 1u);
    ASSERT_EQ(topology.bindings.size(), 1u);
    EXPECT_EQ(topology.bindings[0].memory.data(), arena->memory.data());
    EXPECT_EQ(topology.bindings[0].memory.size(), 3 * MiB);
    EXPECT_EQ(topology.bindings[0].node, 1u);
    EXPECT_FALSE(topology.bindings[0].was_touched);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena->memory.data()) % (2 * MiB), 0u);
    const MappingFacts facts = facts_of(arena->memory.data());
    EXPECT_EQ(facts.resident_kib, facts.size_kib);
}

// Goal: a forked child can never share these pages, a core dump never holds them. Method: the
// kernel's own flags of the mapping (dc: not copied on fork, dd: not dumped).
TEST(Arena, IsNeitherForkedNorDumped) {
    FakeTopology topology = FakeTopology::two_nodes();
    const auto arena = create_arena(topology, {.size_bytes = 64 * KiB, .alignment_bytes = 4 * KiB});
    ASSERT_TRUE(arena.has_value());
    const MappingFacts facts = facts_of(arena->memory.data());
    EXPECT_TRUE(has_flag(facts, "dc")) << facts.flags;
    EXPECT_TRUE(has_flag(facts, "dd")) << facts.flags;
}

// Goal: `huge` is what the kernel gave, not what was asked for. Method: an arena that cannot hold
// a huge page, and one that can, against the kernel's count.
TEST(Arena, ReportsHugePagesItReallyHas) {
    FakeTopology topology = FakeTopology::two_nodes();
    const auto small = create_arena(topology, {.size_bytes = 64 * KiB, .alignment_bytes = 4 * KiB});
    ASSERT_TRUE(small.has_value());
    EXPECT_FALSE(small->huge);

    const auto large = create_arena(topology, {.size_bytes = 8 * MiB, .alignment_bytes = 2 * MiB});
    ASSERT_TRUE(large.has_value());
    const MappingFacts facts = facts_of(large->memory.data());
    EXPECT_EQ(large->huge, facts.huge_kib == facts.size_kib);
    if (!has_flag(facts, "hg")) GTEST_SKIP() << "this kernel has no transparent huge pages";
}

// Goal: `locked` is true exactly if the kernel holds the pages. Method: its flag (lo), with and
// without the wish.
TEST(Arena, ReportsWhetherItIsLocked) {
#ifdef CIUIC_SANITIZED
    GTEST_SKIP() << "sanitizers swallow mlock()";
#endif
    FakeTopology topology = FakeTopology::two_nodes();
    for (const bool lock : {false, true}) {
        const auto arena = create_arena(
            topology, {.size_bytes = 64 * KiB, .alignment_bytes = 4 * KiB, .lock = lock});
        ASSERT_TRUE(arena.has_value());
        EXPECT_EQ(arena->locked, has_flag(facts_of(arena->memory.data()), "lo"));
        EXPECT_TRUE(lock || !arena->locked);
    }
}

// Goal: what cannot be had is refused with its reason. Method: one wrong option at a time, a
// topology that refuses, and more memory than an address space has.
TEST(Arena, RefusesWhatItCannotDo) {
    FakeTopology topology = FakeTopology::two_nodes();
    const ArenaOptions good{.size_bytes = 64 * KiB, .alignment_bytes = 4 * KiB};
    const auto refusal = [&](auto change) {
        ArenaOptions options = good;
        change(options);
        const auto arena = create_arena(topology, options);
        return arena.has_value() ? Errc::ok : arena.error().code;
    };
    EXPECT_EQ(refusal([](ArenaOptions&) {}), Errc::ok);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.size_bytes = 0; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.size_bytes = 5000; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.alignment_bytes = 0; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.alignment_bytes = 12 * KiB; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.alignment_bytes = 2 * KiB; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.node = 2; }), Errc::invalid);
    EXPECT_EQ(refusal([](ArenaOptions& o) { o.size_bytes = 1ull << 50; }), Errc::no_memory);
    topology.refuses_to_bind = true;
    EXPECT_EQ(refusal([](ArenaOptions&) {}), Errc::io);
}

}  // namespace
}  // namespace ciuic::test
