// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cli/trace/trace_fixture.hpp"

#include "trace/encoding.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace ciuic::cli {
namespace {

TraceConvertOptions from_to(const ScratchFile& from, const ScratchFile& to) {
    TraceConvertOptions options;
    options.from_path = from.path();
    options.to_path = to.path();
    return options;
}

// The first line is that of the traces' own README; the rest are made up in its form.
constexpr const char* msr_lines = "128166372003061629,hm,1,Read,383496192,32768,413\n"
                                  "128166372003061729,hm,0,Write,65535,2,113736\r\n"
                                  "128166372003061700,hm,1,Read,0,0,1\n"
                                  "128166372003061700,usr,0,Read,131072,65536,1\n"
                                  "128166372013061629,hm,1,Write,383500000,100000,9\n";

TEST(TraceConvert, ReadsBlockTracesOfMsrCambridge) {
    const ScratchFile csv("msr.csv");
    const ScratchFile trace;
    csv.set_bytes(msr_lines);
    ASSERT_FALSE(trace_convert(from_to(csv, trace)).is_refusal);
    const auto content = content_of(trace);
    EXPECT_EQ(content.chunk_bytes, 64 * KiB);
    ASSERT_EQ(content.regions.size(), 3u);
    EXPECT_EQ(content.regions[0], std::pair(std::string("hm,0"), 2u));
    EXPECT_EQ(content.regions[1], std::pair(std::string("hm,1"), 5854u));
    EXPECT_EQ(content.regions[2], std::pair(std::string("usr,0"), 3u));
    ASSERT_EQ(content.uses.size(), 4u);  // one was of no bytes
    EXPECT_EQ(content.uses[0], (trace::Use{0, 0, 1, 5851, 2, false}));
    EXPECT_EQ(content.uses[1], (trace::Use{10'000, 0, 0, 0, 2, true}));
    // A little older than the one before: their order counts.
    EXPECT_EQ(content.uses[2], (trace::Use{10'000, 0, 2, 2, 1, false}));
    EXPECT_EQ(content.uses[3], (trace::Use{1'000'000'000, 0, 1, 5851, 3, true}));
}

TEST(TraceConvert, SaysWhichLineIsNoRequest) {
    const ScratchFile csv("msr.csv");
    const ScratchFile trace;
    const std::string good = "1,hm,1,Read,0,512,1\n";
    for (const char* bad :
         {"1,hm,1,Read,0,512\n", "1,hm,1,Read,0,512,1,1\n", "x,hm,1,Read,0,512,1\n",
          "1,hm,1,Reads,0,512,1\n", "1,hm,1,Read,-1,512,1\n", "1,hm,1,Read,0,1e3,1\n",
          "1,hm,1,Read,18446744073709551615,2,1\n", "1,hm,1,Read,99999999999999999999,2,1\n",
          "1,hm,1,Read,9223372036854775807,2,1\n", "1,h\x01m,1,Read,0,512,1\n", "\x1f\x8b\x08\n"}) {
        SCOPED_TRACE(bad);
        csv.set_bytes(good + bad + good);
        expect_refusal(trace_convert(from_to(csv, trace)), csv.path() + ": line ", ": ");
        EXPECT_FALSE(std::filesystem::exists(trace.path()));
    }
    csv.set_bytes(good + std::string(100'000, ','));
    expect_refusal(trace_convert(from_to(csv, trace)), csv.path() + ": line 2: ", "MSR");
}

std::string oracle_record(uint32_t time_s, uint64_t object, uint32_t size, int64_t next) {
    std::byte bytes[24];
    trace::store_little_endian(bytes, time_s, 4);
    trace::store_little_endian(bytes + 4, object, 8);
    trace::store_little_endian(bytes + 12, size, 4);
    trace::store_little_endian(bytes + 16, static_cast<uint64_t>(next), 8);
    return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

TEST(TraceConvert, ReadsOracleGeneral) {
    const ScratchFile oracle("x.oracleGeneral");
    const ScratchFile trace;
    const std::string records = oracle_record(100, UINT64_MAX, 4096, 3) +
                                oracle_record(101, 5, 1, -1) +
                                oracle_record(103, UINT64_MAX, 4096, INT64_MAX);
    oracle.set_bytes(records);
    TraceConvertOptions options = from_to(oracle, trace);
    options.chunk = "4KiB";
    ASSERT_FALSE(trace_convert(options).is_refusal);
    const auto content = content_of(trace);
    EXPECT_EQ(content.chunk_bytes, 4096u);
    ASSERT_EQ(content.regions.size(), 1u);
    EXPECT_EQ(content.regions[0].second, 2u);
    ASSERT_EQ(content.uses.size(), 3u);
    EXPECT_EQ(content.uses[0], (trace::Use{0, 0, 0, 0, 1, false}));
    EXPECT_EQ(content.uses[1], (trace::Use{1'000'000'000, 0, 0, 1, 1, false}));
    EXPECT_EQ(content.uses[2], (trace::Use{3'000'000'000, 0, 0, 0, 1, false}));

    oracle.set_bytes(records.substr(0, 60));
    expect_refusal(trace_convert(options), oracle.path() + ": byte 48: ", "within a request");
    oracle.set_bytes(oracle_record(1, 2, 3, -2));
    expect_refusal(trace_convert(options), oracle.path() + ": byte 16: ", "oracleGeneral");
    oracle.set_bytes("this is a text of some length, not a trace");
    expect_refusal(trace_convert(options), oracle.path() + ": byte 16: ", "oracleGeneral");
}

trace::test::Content small_content() {
    trace::test::Content content;
    content.chunk_bytes = 65536;
    content.regions = {{"we\"ights", 10}, {"kv", 4}};
    content.phases = {{0, "prefill"}, {2, "token"}};
    content.uses = {{1000, 0, 0, 0, 3, false},
                    {2500, 7, 1, 3, 1, true},
                    {5000, 0, 0, 9, 1, false},
                    {5001, 0, 0, 9, 1, false}};
    return content;
}

// Goal: others can show it. Method: valid JSON; each use is drawn until its thread's next, each
// phase until the next.
TEST(TraceConvert, WritesEventsForPerfetto) {
    const ScratchFile trace;
    const ScratchFile events("events.json");
    ASSERT_TRUE(write_all(small_content(), trace.path()).has_value());
    ASSERT_FALSE(trace_convert(from_to(trace, events)).is_refusal);
    const auto json = nlohmann::json::parse(events.bytes());
    const auto& all = json["traceEvents"];
    ASSERT_EQ(all.size(), 1u + 4 + 2);
    nlohmann::json uses;
    nlohmann::json phases;
    for (const auto& event : all) {
        if (event["ph"] != "X") continue;
        (event["cat"] == "phase" ? phases : uses).push_back(event);
    }
    ASSERT_EQ(uses.size(), 4u);
    EXPECT_EQ(uses[0]["name"], "we\"ights");
    EXPECT_EQ(uses[0]["ts"], 1.0);
    EXPECT_EQ(uses[0]["dur"], 4.0);
    EXPECT_EQ(uses[0]["args"]["count"], 3);
    EXPECT_EQ(uses[1]["dur"], 0.001);
    EXPECT_EQ(uses[3]["tid"], 7);
    EXPECT_EQ(uses[3]["cat"], "write");
    EXPECT_EQ(uses[3]["ts"], 2.5);
    ASSERT_EQ(phases.size(), 2u);
    EXPECT_EQ(phases[0]["name"], "prefill");
    EXPECT_EQ(phases[0]["dur"], 4.0);
    EXPECT_EQ(phases[1]["ts"], 5.0);
}

TEST(TraceConvert, WritesAChunkALine) {
    const ScratchFile trace;
    const ScratchFile chunks("chunks.txt");
    ASSERT_TRUE(write_all(small_content(), trace.path()).has_value());
    ASSERT_FALSE(trace_convert(from_to(trace, chunks)).is_refusal);
    EXPECT_EQ(chunks.bytes(), "1\n2\n3\n14\n10\n10\n");
}

// Goal: an export of a damaged trace leaves no file, whichever byte is damaged.
TEST(TraceConvert, LeavesNothingOfADamagedTrace) {
    const ScratchFile trace;
    const ScratchFile chunks("chunks.txt");
    ASSERT_TRUE(write_all(small_content(), trace.path()).has_value());
    std::string bytes = trace.bytes();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    trace.set_bytes(bytes);
    expect_refusal(trace_convert(from_to(trace, chunks)), trace.path() + ": byte ", "again");
    EXPECT_FALSE(std::filesystem::exists(chunks.path()));
}

TEST(TraceConvert, SaysWhatItCannotDo) {
    const ScratchFile trace;
    const ScratchFile other("other");
    const ScratchFile csv("some.csv");
    ASSERT_TRUE(write_all(small_content(), trace.path()).has_value());
    other.set_bytes("?");
    csv.set_bytes("1,hm,1,Read,0,512,1\n");
    expect_refusal(trace_convert(from_to(trace, other)), trace.path(), "already");
    expect_refusal(trace_convert(from_to(other, trace)), other.path(), "--from msr");
    TraceConvertOptions options = from_to(csv, other);
    options.to = "perfetto";
    expect_refusal(trace_convert(options), csv.path(), "first");
    options.to = "ciuic";
    options.chunk = "1000";
    expect_refusal(trace_convert(options), "--chunk 1000: ", "power of two");
    options.chunk = "";
    options.to_path = options.from_path;
    expect_refusal(trace_convert(options), csv.path(), "onto itself");
    options.to_path = "/nowhere/at/all";
    expect_refusal(trace_convert(options), "/nowhere/at/all: ", "No such file");
    options.from_path = "/nowhere.csv";
    options.to_path = other.path();
    expect_refusal(trace_convert(options), "/nowhere.csv: ", "No such file");
    options = from_to(trace, other);
    options.to = "chunks";
    options.to_path = "/nowhere/at/all";
    expect_refusal(trace_convert(options), "/nowhere/at/all: ", "No such file");
    if (std::filesystem::exists("/dev/full")) {
        options.to_path = "/dev/full";
        expect_refusal(trace_convert(options), "/dev/full: ", "No space");
    }
}

}  // namespace
}  // namespace ciuic::cli
