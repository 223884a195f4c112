// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/print.hpp"

#include "tests/unit/cli/doctor/machines.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace ciuic::cli::doctor::test {
namespace {

// CIUIC_WRITE_GOLDEN=1 writes the files anew, to be read and committed.
std::string golden(const std::string& name, const std::string& actual) {
    const std::string path = CIUIC_GOLDEN_DIR "/" + name;
    if (std::getenv("CIUIC_WRITE_GOLDEN")) std::ofstream(path) << actual;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// Goal: every character of what people and programs read is meant. Method: files that have been
// read, for a machine on which all is well, one on which nothing is, and an ordinary user.
TEST(Print, IsWhatHasBeenReadAndAgreedTo) {
    for (const auto& [name, facts] : {std::pair{std::string("good"), good_machine()},
                                      {std::string("user"), users_machine()},
                                      {std::string("bad"), bad_machine()}}) {
        SCOPED_TRACE(name);
        const auto findings = find(facts);
        const std::string text = text_of(facts, findings);
        EXPECT_EQ(text, golden(name + ".txt", text));
        const std::string json = json_of(facts, findings);
        EXPECT_EQ(json, golden(name + ".json", json));
    }
}

// Goal: what is not known, or has no bound, is no number. Method: such facts.
TEST(Print, WritesNullForWhatIsNoNumber) {
    Facts facts = good_machine();
    facts.limits = {.memlock_bytes = unlimited, .nofile_hard = unlimited, .max_map_count = 0};
    facts.store.rate = {};
    facts.kernel = {"5.15", features_of("5.15")};
    const auto json = nlohmann::ordered_json::parse(json_of(facts, find(facts)));
    for (const char* key : {"memlock_bytes", "open_files", "max_map_count"})
        EXPECT_TRUE(json["limits"][key].is_null()) << key;
    for (const char* key : {"write_mb_per_s", "read_mb_per_s", "read_64kib_us"})
        EXPECT_TRUE(json["store"][key].is_null()) << key;
    EXPECT_TRUE(json["rung"]["shared"].is_null());
    EXPECT_FALSE(json["ok"]);
}

}  // namespace
}  // namespace ciuic::cli::doctor::test
