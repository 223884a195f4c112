// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cli/trace/trace_fixture.hpp"

#include <nlohmann/json.hpp>

namespace ciuic::cli {
namespace {

trace::test::Content two_threads() {
    trace::test::Content content;
    content.chunk_bytes = 65536;
    content.regions = {{"weights", 10}, {"kv", 4}};
    content.phases = {{0, "prefill"}, {1, "token"}, {2, "token"}};
    content.uses = {{1000, 0, 0, 0, 8, false}, {2000, 7, 1, 3, 1, true}, {5000, 0, 0, 4, 2, true}};
    return content;
}

TEST(TraceInfo, CountsWhatIsThere) {
    const ScratchFile file;
    ASSERT_TRUE(write_all(two_threads(), file.path()).has_value());
    const Answer answer = trace_info({file.path(), false});
    EXPECT_FALSE(answer.is_refusal);
    EXPECT_EQ(answer.text, "uses       11, of which 3 write\n"
                           "footprint  576KiB: 9 chunks of 64KiB\n"
                           "span       0.000004 s\n"
                           "threads    2\n"
                           "regions    2\n"
                           "  weights                  10 uses of 8 of its 10 chunks\n"
                           "  kv                       1 uses of 1 of its 4 chunks\n"
                           "phases     3\n"
                           "  prefill                  1 times\n"
                           "  token                    2 times\n");
}

TEST(TraceInfo, SaysTheSameToPrograms) {
    const ScratchFile file;
    ASSERT_TRUE(write_all(two_threads(), file.path()).has_value());
    const auto json = nlohmann::json::parse(trace_info({file.path(), true}).text);
    EXPECT_EQ(json["schema"], "ciuic-trace-info-1");
    EXPECT_EQ(json["uses"], 11);
    EXPECT_EQ(json["writes"], 3);
    EXPECT_EQ(json["records"], 3);
    EXPECT_EQ(json["distinct_chunks"], 9);
    EXPECT_EQ(json["footprint_bytes"], 9 * 65536);
    EXPECT_EQ(json["threads"], 2);
    EXPECT_EQ(json["span_ns"], 4000);
    EXPECT_EQ(json["regions"][1]["name"], "kv");
    EXPECT_EQ(json["regions"][0]["distinct_chunks"], 8);
    EXPECT_EQ(json["phases"]["token"], 2);
}

TEST(TraceInfo, AnEmptyTraceIsOne) {
    const ScratchFile file;
    ASSERT_TRUE(write_all({65536, {}, {}, {}}, file.path()).has_value());
    EXPECT_EQ(trace_info({file.path(), false}).text.substr(0, 16), "uses       0, of");
}

TEST(TraceInfo, SaysWhatIsNoTrace) {
    const ScratchFile file;
    file.set_bytes("no trace");
    expect_refusal(trace_info({file.path(), false}), file.path() + ": byte 0: ", "convert");
    expect_refusal(trace_info({"/nowhere", false}), "/nowhere: ", "No such file");
}

}  // namespace
}  // namespace ciuic::cli
