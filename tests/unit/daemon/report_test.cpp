// SPDX-License-Identifier: Apache-2.0
#include "daemon/report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ciuic {
namespace {

// A number of its own for every 32 bits of a struct that has nothing but numbers.
template <typename T> T numbered(uint32_t first) {
    T value{};
    static_assert(std::is_trivially_copyable_v<T>);
    for (size_t offset = 0; offset < sizeof(T); offset += 4, ++first)
        std::memcpy(reinterpret_cast<char*>(&value) + offset, &first, 4);
    return value;
}

// All numbers of an object and of the objects in it, in order.
std::vector<uint64_t> numbers_of(const nlohmann::ordered_json& json) {
    std::vector<uint64_t> numbers;
    for (const auto& entry : json.items()) {
        if (entry.value().is_object())
            for (const uint64_t number : numbers_of(entry.value())) numbers.push_back(number);
        else if (entry.value().is_number_unsigned())
            numbers.push_back(entry.value());
    }
    return numbers;
}

ReportNumbers some_numbers() {
    ReportNumbers numbers;
    numbers.store = numbered<StoreStats>(100);
    numbers.total = numbered<SessionStats>(1000);
    numbers.counts = numbered<ClientCounts>(2000);
    numbers.server = numbered<ServerCounts>(3000);
    numbers.sessions.push_back({.pid = 7,
                                .realm = {8, "/jobs", 9},
                                .name = "program",
                                .ended = true,
                                .share = {.guarantee_bytes = 10, .weight = 11},
                                .stats = numbered<SessionStats>(4000),
                                .counts = numbered<ClientCounts>(5000)});
    numbers.wall_seconds = 1.5;
    return numbers;
}

// Goal: no number that is counted is missing or written twice under another name. Method: every
// field of the structs has a value of its own; the report must hold exactly those, in order.
TEST(Report, HasEveryField) {
    const auto report = nlohmann::ordered_json::parse(make_report({}, some_numbers()));
    const auto expect_fields = [](const nlohmann::ordered_json& json, uint32_t stats_first,
                                  uint32_t counts_first) {
        std::vector<uint64_t> expected;
        const auto stats = numbered<SessionStats>(stats_first);
        const auto* words = reinterpret_cast<const char*>(&stats);
        const size_t narrow_at = offsetof(SessionStats, chunks_promised);
        for (size_t offset = 0; offset < narrow_at; offset += 8)
            std::memcpy(&expected.emplace_back(), words + offset, 8);
        for (size_t offset = narrow_at; offset < sizeof stats; offset += 4)
            std::memcpy(&expected.emplace_back(), words + offset, 4);
        const auto counts = numbered<ClientCounts>(counts_first);
        for (size_t offset = 0; offset < sizeof counts; offset += 8)
            std::memcpy(&expected.emplace_back(), reinterpret_cast<const char*>(&counts) + offset,
                        8);
        EXPECT_EQ(numbers_of(json), expected);
    };
    expect_fields(report["total"], 1000, 2000);
    auto session = report["sessions"][0];
    EXPECT_EQ(session["pid"], 7);
    EXPECT_EQ(session["uid"], 8);
    EXPECT_EQ(session["cgroup"], "/jobs");
    EXPECT_EQ(session["guarantee_bytes"], 10);
    EXPECT_EQ(session["weight"], 11);
    EXPECT_EQ(session["name"], "program");
    EXPECT_EQ(session["ended"], true);
    for (const char* key : {"pid", "uid", "guarantee_bytes", "weight"}) session.erase(key);
    expect_fields(session, 4000, 5000);
    EXPECT_EQ(report["total"]["bytes_in_by_cause"].size(), causes);
    EXPECT_TRUE(report["total"]["bytes_in_by_cause"].contains("prefetch"));
    EXPECT_EQ(report["store"].size(), 3 + sizeof(StoreStats) / 8);
    EXPECT_EQ(report["clients"].size(), sizeof(ServerCounts) / 8);
    EXPECT_EQ(report["schema"], "ciuic-report-1");
    EXPECT_EQ(report["wall_seconds"], 1.5);
}

// Goal: the daemon and its parts are described. Method: facts with values of their own.
TEST(Report, DescribesTheDevice) {
    const ReportFacts facts{.device_name = "host-shared",
                            .frame_kind = "memfd-4k",
                            .rung = "base",
                            .frames = 3,
                            .chunk_bytes = 4,
                            .budget_bytes = 12,
                            .io = "threads",
                            .store_path = "/s",
                            .store_capacity_bytes = 5,
                            .store_direct = true};
    const auto report = nlohmann::ordered_json::parse(make_report(facts, {}));
    EXPECT_EQ(report["device"].dump(),
              R"({"name":"host-shared","frame_kind":"memfd-4k","rung":"base","frames":3,)"
              R"("chunk_bytes":4,"budget_bytes":12,"io":"threads"})");
    EXPECT_EQ(report["store"]["path"], "/s");
    EXPECT_EQ(report["store"]["direct"], true);
    EXPECT_EQ(report["store"]["capacity_bytes"], 5);
}

// Goal: a recording is in the report with what it lacks, and no other report speaks of one. Method:
// facts with and without a path.
TEST(Report, SaysWhatIsRecorded) {
    ReportNumbers numbers;
    numbers.record = {.uses = 7, .lost = 2, .failed = false};
    EXPECT_FALSE(nlohmann::ordered_json::parse(make_report({}, numbers)).contains("record"));
    ReportFacts facts;
    facts.record_path = "/t";
    const auto report = nlohmann::ordered_json::parse(make_report(facts, numbers));
    EXPECT_EQ(report["record"].dump(), R"({"path":"/t","uses":7,"uses_lost":2,"failed":false})");
}

// Goal: readers see the old report or the new one, never half of one; a place that cannot be
// written is named. Method: write over a file, then into a missing directory.
TEST(Report, ReplacesTheFile) {
    std::string directory = testing::TempDir() + "ciuic-report-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const std::string path = directory + "/r.json";
    std::ofstream(path) << std::string(100'000, 'x');
    const auto report = make_report({}, some_numbers());
    ASSERT_TRUE(write_report(path, report));
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator(file), {}), report);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    EXPECT_EQ(write_report(directory + "/none/r.json", report).error().code, Errc::io);
    ASSERT_TRUE(write_report("/dev/null", report));
    EXPECT_FALSE(std::filesystem::exists("/dev/null.new"));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ciuic
