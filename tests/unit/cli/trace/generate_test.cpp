// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cli/trace/trace_fixture.hpp"

#include "base/units.hpp"

#include <filesystem>

namespace ciuic::cli {
namespace {

TEST(TraceGenerate, WritesWhatThePatternMakes) {
    const ScratchFile file;
    make_trace(file, "zigzag", {{"chunks", 3}, {"periods", 1}, {"gap-us", 2}});
    const auto content = content_of(file);
    EXPECT_EQ(content.chunk_bytes, 2 * MiB);
    ASSERT_EQ(content.regions.size(), 1u);
    EXPECT_EQ(content.regions[0].second, 3u);
    ASSERT_EQ(content.uses.size(), 4u);
    EXPECT_EQ(content.uses[0], (trace::Use{0, 0, 0, 0, 3, false}));
    EXPECT_EQ(content.uses[1], (trace::Use{6000, 0, 0, 2, 1, false}));
    EXPECT_EQ(content.uses[3], (trace::Use{10'000, 0, 0, 0, 1, false}));
}

// Goal: what cannot be made is said in one line, with the bounds, and leaves no file.
TEST(TraceGenerate, SaysWhatCannotBeMade) {
    const ScratchFile file;
    TraceGenerateOptions options;
    options.pattern = trace::find_pattern("zipf");
    options.to_path = file.path();
    options.values = {{"chunks", 0}};
    expect_refusal(trace_generate(options), "--chunks 0: ", "a whole number from 1 to 16777216");
    options.values = {{"alpha", -1}};
    expect_refusal(trace_generate(options), "--alpha -1: ", "from 0 to 4");
    options.values = {};
    options.chunk = "3MiB";
    expect_refusal(trace_generate(options), "--chunk 3MiB: ", "power of two");
    options.chunk = "much";
    expect_refusal(trace_generate(options), "--chunk much: ", "power of two");
    options.chunk = "2MiB";
    options.to_path = "/nowhere/at/all";
    expect_refusal(trace_generate(options), "/nowhere/at/all: ", "No such file");

    options.to_path = file.path();
    options.pattern = trace::find_pattern("cyclic");
    options.values = {{"chunks", 1 << 24}, {"periods", 1000}};
    expect_refusal(trace_generate(options), file.path(), "ask for less");
    EXPECT_FALSE(std::filesystem::exists(file.path()));
}

}  // namespace
}  // namespace ciuic::cli
