// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/cache_model.hpp"
#include "tests/unit/cli/trace/trace_fixture.hpp"

#include <nlohmann/json.hpp>

namespace ciuic::cli {
namespace {

TraceReplayOptions replay_of(const ScratchFile& file) {
    TraceReplayOptions options;
    options.trace = file.path();
    return options;
}

// Twenty periods of ten chunks: LRU never hits, LIRS on four of ten in nineteen periods, and the
// optimum on four of nine.
TEST(TraceReplay, PrintsOneTableWithTheOptimumLast) {
    const ScratchFile file;
    make_trace(file, "cyclic", {{"chunks", 10}});
    TraceReplayOptions options = replay_of(file);
    options.memory = {"50%", "10MiB", "100%"};
    options.policies = {"lru", "lirs"};
    EXPECT_EQ(trace_replay(options).text,
              "200 uses of 10 chunks, 20MiB in all\n"
              "hit ratio in so much memory, and its part of the optimum\n"
              "\n"
              "                         50%             10MiB              100%\n"
              "lru          0.0000   0.0 %   0.0000   0.0 %   0.9500 100.0 %\n"
              "lirs         0.3800  89.4 %   0.3800  89.4 %   0.9500 100.0 %\n"
              "belady       0.4250 100.0 %   0.4250 100.0 %   0.9500 100.0 %\n");
}

TEST(TraceReplay, AllPoliciesAndThreeMemoriesUnlessToldOtherwise) {
    const ScratchFile file;
    make_trace(file, "training", {});
    TraceReplayOptions options = replay_of(file);
    options.json = true;
    const auto json = nlohmann::json::parse(trace_replay(options).text);
    EXPECT_EQ(json["schema"], "ciuic-trace-replay-1");
    EXPECT_EQ(json["footprint_chunks"], 1104);
    ASSERT_EQ(json["memories"].size(), 3u);
    EXPECT_EQ(json["memories"][0]["chunks"], 552);
    const auto& policies = json["memories"][2]["policies"];
    EXPECT_EQ(policies.size(), models::all_models().size());
    EXPECT_EQ(policies.back()["name"], "belady");
    EXPECT_EQ(policies.back()["of_belady"], 1.0);
    for (const auto& policy : policies) EXPECT_LE(policy["of_belady"], 1.0);
}

// Goal: warm-up can be left out. Method: from the second period on, a memory for all has only hits.
TEST(TraceReplay, CountsFromAUseOn) {
    const ScratchFile file;
    make_trace(file, "cyclic", {{"chunks", 10}, {"periods", 3}});
    TraceReplayOptions options = replay_of(file);
    options.memory = {"100%"};
    options.policies = {"lru"};
    options.json = true;
    options.from = 5;
    EXPECT_EQ(
        nlohmann::json::parse(trace_replay(options).text)["memories"][0]["policies"][0]["hits"],
        20);
    options.from = 10;
    EXPECT_EQ(nlohmann::json::parse(
                  trace_replay(options).text)["memories"][0]["policies"][0]["hit_ratio"],
              1.0);
}

// Goal: chunks that are never used take no part in percentages.
TEST(TraceReplay, TheFootprintIsWhatIsUsed) {
    const ScratchFile file;
    trace::test::Content content;
    content.chunk_bytes = 65536;
    content.regions = {{"large", 1'000'000}};
    for (const uint32_t chunk : {999'999u, 5u, 999'999u, 5u})
        content.uses.push_back({0, 0, 0, chunk, 1, false});
    ASSERT_TRUE(write_all(content, file.path()).has_value());
    TraceReplayOptions options = replay_of(file);
    options.memory = {"100%"};
    options.json = true;
    const auto json = nlohmann::json::parse(trace_replay(options).text);
    EXPECT_EQ(json["memories"][0]["chunks"], 2);
    EXPECT_EQ(json["memories"][0]["policies"][0]["hits"], 2);
}

TEST(TraceReplay, SaysWhatItCannotDo) {
    const ScratchFile file;
    make_trace(file, "cyclic", {{"chunks", 10}, {"periods", 1}});
    TraceReplayOptions options = replay_of(file);
    options.policies = {"lru", "best"};
    expect_refusal(trace_replay(options), "--policy best: ", "w-tinylfu");
    options.policies = {};
    for (const char* memory : {"", "%", "half", "5x%", "0%", "-5%", "nan%", "inf%", "1MiB", "1%"}) {
        SCOPED_TRACE(memory);
        options.memory = {memory};
        expect_refusal(trace_replay(options), std::string("--memory ") + memory, "2MiB");
    }
    options.memory = {};
    options.from = 10;
    expect_refusal(trace_replay(options), file.path() + ": it has 10 uses", "--from");
    options.trace = "/nowhere";
    expect_refusal(trace_replay(options), "/nowhere: ", "No such file");
}

}  // namespace
}  // namespace ciuic::cli
