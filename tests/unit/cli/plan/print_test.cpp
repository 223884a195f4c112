// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/print.hpp"

#include "cli/plan/founding.hpp"
#include "cli/plan/words.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace ciuic::cli::plan::test {
namespace {

constexpr uint64_t gb = 1'000'000'000;

// CIUIC_WRITE_GOLDEN=1 writes the files anew, to be read and committed.
std::string golden(const std::string& name, const std::string& actual) {
    const std::string path = CIUIC_GOLDEN_DIR "/" + name;
    if (std::getenv("CIUIC_WRITE_GOLDEN")) std::ofstream(path) << actual;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

Plan plan_of(const Question& question) {
    Plan plan;
    EXPECT_EQ(make_plan(question, plan), "");
    return plan;
}

// Goal: every character of a plan is meant. Method: files that have been read: a stream that hides,
// one that cannot, a mixture that the disk has to feed, training, too small a budget, all resident.
TEST(Print, IsWhatHasBeenReadAndAgreedTo) {
    const std::pair<const char*, Question> cases[] = {
        {"decode", {"llama-7b", "rtx-4090", "", "", 6 * gb, 1, 2048, 0.92}},
        {"prefill", {"llama-13b", "h100-sxm", "", "prefill", 10 * gb, 8, 2048, 0.88}},
        {"mixture", {"deepseek-moe-16b", "rtx-3060", "", "", 8 * gb, 1, 2048, 0.9}},
        {"training", {"llama-7b", "rtx-4090", "server", "training", 6 * gb, 4, 2048, 0.9}},
        {"diffusion", {"sdxl", "rtx-4060", "desktop-ddr5-16g", "", 6 * gb, 1, 2048, 0.9}},
        {"too_small", {"llama-30b", "rtx-4060", "", "", gb / 2, 1, 2048, 0.9}},
        {"fits", {"sd-1.5", "rtx-3090", "", "denoise", 4 * gb, 1, 2048, 0.95}}};
    for (const auto& [name, question] : cases) {
        SCOPED_TRACE(name);
        const std::string text = text_of(plan_of(question));
        EXPECT_EQ(text, golden(std::string(name) + ".txt", text));
    }
    const std::string json = json_of(plan_of(cases[0].second));
    EXPECT_EQ(json, golden("decode.json", json));
}

TEST(Print, FoundingRowsAreATable) {
    std::string table;
    ASSERT_EQ(founding_table("rtx-4090", "", table), "");
    EXPECT_EQ(table, golden("founding.md", table));
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2 + 2 + 4 * 6 + 3);
    EXPECT_NE(founding_table("none", "", table), "");
    EXPECT_NE(founding_table("rtx-4090", "none", table), "");
}

// Goal: what is not there is no number. Method: a plan that cannot run.
TEST(Print, WritesNullForWhatIsNoNumber) {
    const auto json = nlohmann::ordered_json::parse(
        json_of(plan_of({"llama-30b", "rtx-4060", "", "", gb / 2, 1, 2048, 0.9})));
    for (const char* key : {"streamed", "computed", "tokens_per_pass", "resident_bits"})
        EXPECT_TRUE(json[key].is_null()) << key;
    EXPECT_FALSE(json["is_possible"]);
    EXPECT_EQ(json["recommendations"][0]["do"], "do not");
}

TEST(Print, Words) {
    EXPECT_EQ(gb_text(13.4768e9), "13.48 GB");
    EXPECT_EQ(seconds_text(0.01804), "18.0 ms");
    EXPECT_EQ(seconds_text(0.378), "378 ms");
    EXPECT_EQ(seconds_text(1.356), "1.36 s");
    EXPECT_EQ(seconds_text(123.4), "123 s");
    EXPECT_EQ(percent_text(0.0477), "4.8 %");
    EXPECT_EQ(percent_text(0.0996), "10 %");
    EXPECT_EQ(percent_text(0.757), "76 %");
    EXPECT_EQ(percent_text(0.999), "99 %");
    EXPECT_EQ(percent_text(1), "100 %");
}

}  // namespace
}  // namespace ciuic::cli::plan::test
