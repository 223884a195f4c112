// SPDX-License-Identifier: Apache-2.0
#include "trace/writer.hpp"

#include "base/random.hpp"
#include "limits.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/trace/scratch_trace.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace ciuic::trace::test {
namespace {

Content random_content(Random& random, size_t uses) {
    Content content;
    content.chunk_bytes = uint64_t{512} << random.below(18);
    const uint64_t regions = 1 + random.below(8);
    for (uint64_t region = 0; region < regions; ++region)
        content.regions.emplace_back("region " + std::to_string(region),
                                     1 + random.below(region == 0 ? 1u << 25 : 1000));
    Use use;
    while (content.uses.size() < uses) {
        if (random.chance(1, 50)) content.phases.emplace_back(content.uses.size(), "phase");
        if (random.chance(1, 3)) use.region = static_cast<uint32_t>(random.below(regions));
        if (random.chance(1, 3)) use.thread = static_cast<uint32_t>(random.below(1u << 16));
        const uint32_t chunks = content.regions[use.region].second;
        use.time_ns += random.chance(1, 2) ? random.below(1000) : random.below(uint64_t{1} << 40);
        use.chunk = static_cast<uint32_t>(random.below(chunks));
        use.count =
            random.chance(1, 2)
                ? 1
                : 1 + static_cast<uint32_t>(random.below(std::min(1000u, chunks - use.chunk)));
        use.is_write = random.chance(1, 4);
        content.uses.push_back(use);
    }
    return content;
}

// Goal: what is written is read. Method: traces of random records, from none to more than the
// buffers of either side hold.
TEST(TraceWriter, WhatIsWrittenIsRead) {
    const uint64_t seed = ciuic::test::random_seed();
    SCOPED_TRACE(ciuic::test::seed_text(seed));
    Random random(seed);
    const ScratchFile file;
    for (const size_t uses : {0u, 1u, 2u, 100u, 5000u, 200'000u}) {
        SCOPED_TRACE(uses);
        const Content content = random_content(random, uses);
        ASSERT_TRUE(write_all(content, file.path()).has_value());
        Reader reader;
        const Result<Content> read = read_all(reader, file.path());
        ASSERT_TRUE(read.has_value()) << reader.describe(read.error());
        EXPECT_TRUE(*read == content);
    }
}

// Goal: a trace of work that repeats is small. Method: a million uses of one cycle take less than
// a byte for ten of them.
TEST(TraceWriter, WorkThatRepeatsTakesLittleRoom) {
    const ScratchFile file;
    Writer writer;
    ASSERT_TRUE(writer.create(file.path(), 2 * MiB).has_value());
    const uint32_t region = writer.region("weights", 1000);
    for (uint32_t at = 0; at < 1'000'000; ++at)
        writer.use({at * uint64_t{1000}, 0, region, at % 1000, 1, false});
    ASSERT_TRUE(writer.finish().has_value());
    EXPECT_LT(std::filesystem::file_size(file.path()), 100'000u);
}

struct Refused {
    const char* what;
    Use use;
    Errc code;
};

// Goal: a use that no reader would take is never written, the error stays, and no file is left.
TEST(TraceWriter, RefusesWhatNoReaderTakes) {
    const ScratchFile file;
    for (const Refused& refused : {
             Refused{"no such region", {10, 0, 1, 0, 1, false}, Errc::invalid},
             Refused{"behind the end", {10, 0, 0, 100, 1, false}, Errc::invalid},
             Refused{"over the end", {10, 0, 0, 99, 2, false}, Errc::invalid},
             Refused{"a sum that wraps", {10, 0, 0, 1, 0xffffffff, false}, Errc::invalid},
             Refused{"no chunk", {10, 0, 0, 0, 0, false}, Errc::invalid},
             Refused{"the past", {9, 0, 0, 0, 1, false}, Errc::invalid},
             Refused{"a thread", {10, 1u << 16, 0, 0, 1, false}, Errc::range},
         }) {
        SCOPED_TRACE(refused.what);
        Writer writer;
        ASSERT_TRUE(writer.create(file.path(), 2 * MiB).has_value());
        writer.region("only", 100);
        writer.use({10, 0, 0, 99, 1, false});
        ASSERT_TRUE(writer.status().has_value());
        writer.use(refused.use);
        EXPECT_EQ(writer.status().error().code, refused.code);
        writer.use({11, 0, 0, 0, 1, false});
        EXPECT_EQ(writer.finish().error().code, refused.code);
        EXPECT_FALSE(std::filesystem::exists(file.path()));
    }
}

TEST(TraceWriter, RefusesRegionsAndNamesBeyondTheLimits) {
    const ScratchFile file;
    const auto outcome = [&](auto&& act) {
        Writer writer;
        EXPECT_TRUE(writer.create(file.path(), 2 * MiB).has_value());
        act(writer);
        return writer.status().error().code;
    };
    constexpr uint32_t most = limits::trace_chunks_max;
    EXPECT_EQ(outcome([](Writer& writer) { writer.region("all", most); }), Errc::ok);
    EXPECT_EQ(outcome([](Writer& writer) { writer.region("all", most + 1); }), Errc::range);
    EXPECT_EQ(outcome([](Writer& writer) {
                  writer.region("most", most);
                  writer.region("one more", 1);
              }),
              Errc::range);
    EXPECT_EQ(outcome([](Writer& writer) { writer.region("none", 0); }), Errc::invalid);
    const std::string longest(limits::trace_name_bytes_max, 'x');
    EXPECT_EQ(outcome([&](Writer& writer) { writer.phase(longest); }), Errc::ok);
    EXPECT_EQ(outcome([&](Writer& writer) { writer.phase(longest + "x"); }), Errc::invalid);
    EXPECT_EQ(outcome([&](Writer& writer) { writer.region("\x1b[2J", 1); }), Errc::invalid);
    EXPECT_EQ(outcome([&](Writer& writer) {
                  for (uint32_t at = 0; at <= limits::trace_regions_max; ++at) writer.region("", 1);
              }),
              Errc::range);
}

// Goal: half a trace is none. Method: a writer that is not finished leaves no file; a disk that is
// full, and a path that cannot be, are said.
TEST(TraceWriter, LeavesNoHalfTrace) {
    const ScratchFile file;
    {
        Writer writer;
        ASSERT_TRUE(writer.create(file.path(), 2 * MiB).has_value());
        writer.region("only", 100);
        ASSERT_TRUE(std::filesystem::exists(file.path()));
    }
    EXPECT_FALSE(std::filesystem::exists(file.path()));

    Writer full;
    if (full.create("/dev/full", 2 * MiB).has_value()) {
        full.region("only", 100);
        EXPECT_EQ(full.finish().error().code, Errc::io);
    }
    Writer nowhere;
    EXPECT_EQ(nowhere.create("/nowhere/at/all", 2 * MiB).error().code, Errc::io);
    Writer odd;
    EXPECT_EQ(odd.create(file.path(), 3 * MiB).error().code, Errc::invalid);
}

}  // namespace
}  // namespace ciuic::trace::test
