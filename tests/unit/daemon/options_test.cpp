// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ciuic {
namespace {

ParsedOptions parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "ciuic-swapd");
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

class OptionsTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ciuic-options-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = directory_ + "/c.toml";
        std::ofstream(path_) << "[device]\nbudget = \"1GiB\"\nframes = \"memfd\"\n";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string directory_;
    std::string path_;
};

// Goal: an option wins over the file, and the file over the default. Method: a value of each kind.
TEST_F(OptionsTest, OptionsWinOverTheFile) {
    const auto parsed = parse(
        {"--config", path_.c_str(), "--budget", "2GiB", "--ready-fd", "5", "--exit-with-parent"});
    ASSERT_TRUE(parsed.proceed);
    EXPECT_EQ(parsed.options.config.budget_bytes, 2 * GiB);
    EXPECT_EQ(parsed.options.config.frames, FramesChoice::memfd);
    EXPECT_EQ(parsed.options.config.chunk_bytes, 2 * MiB);
    EXPECT_EQ(parsed.options.ready_fd, 5);
    EXPECT_TRUE(parsed.options.exit_with_parent);
}

// Goal: every setting is an option. Method: each is given a wrong or a right value and must be
// known to the parser.
TEST_F(OptionsTest, EverySettingIsAnOption) {
    for (const Setting& setting : settings()) {
        const auto parsed = parse({setting.option, "?"});
        for (const std::string& problem : parsed.problems)
            EXPECT_EQ(problem.find("not expected"), std::string::npos) << problem;
        EXPECT_EQ(parse({setting.option}).exit_code, ExitCode::usage) << setting.option;
    }
}

// Goal: mistakes end with exit code 2 and a line each. Method: one of each kind.
TEST_F(OptionsTest, NamesMistakes) {
    for (const auto& [arguments, expected] :
         std::vector<std::pair<std::vector<const char*>, std::string>>{
             {{"--budget", "6GB"}, "--budget 6GB: units of 1000"},
             {{"--bugdet", "6GiB"}, "--bugdet"},
             {{}, "budget: missing"},
             {{"--config", "/nonexistent.toml", "--budget", "1GiB"}, "cannot be read"},
             {{"--budget", "1GiB", "--ready-fd", "x"}, "--ready-fd"}}) {
        const auto parsed = parse(arguments);
        EXPECT_FALSE(parsed.proceed);
        EXPECT_EQ(parsed.exit_code, ExitCode::usage);
        ASSERT_EQ(parsed.problems.size(), 1u) << expected;
        EXPECT_NE(parsed.problems[0].find(expected), std::string::npos) << parsed.problems[0];
        EXPECT_EQ(parsed.problems[0].find('\n'), std::string::npos);
    }
}

// Goal: a file can be checked without starting anything. Method: a good one and a bad one.
TEST_F(OptionsTest, ChecksAFile) {
    auto parsed = parse({"--check-config", path_.c_str()});
    EXPECT_FALSE(parsed.proceed);
    EXPECT_EQ(parsed.exit_code, ExitCode::ok);
    EXPECT_EQ(parsed.output, "ok\n");
    std::ofstream(path_) << "[device]\nbudget = 1\n";
    parsed = parse({"--check-config", path_.c_str()});
    EXPECT_EQ(parsed.exit_code, ExitCode::usage);
    EXPECT_EQ(parsed.problems.size(), 1u);
}

// Goal: help and version go to standard output and are no failure; the exit codes are documented.
// Method: ask.
TEST_F(OptionsTest, HelpsAndNamesItsVersion) {
    const auto help = parse({"--help"});
    EXPECT_EQ(help.exit_code, ExitCode::ok);
    EXPECT_NE(help.output.find("Exit codes: 0 "), std::string::npos);
    EXPECT_EQ(parse({"--version"}).output.find("ciuic-swapd "), 0u);
}

}  // namespace
}  // namespace ciuic
