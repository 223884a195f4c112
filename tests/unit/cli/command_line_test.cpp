// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include "cli/run.hpp"
#include "tests/unit/trace/scratch_trace.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ciuic::cli {
namespace {

std::optional<int> read(std::vector<std::string> words, CommandLine& command_line) {
    words.insert(words.begin(), "ciuic");
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return read_command_line(static_cast<int>(words.size()), pointers.data(), command_line);
}

template <typename Options> Options read_trace(std::vector<std::string> words) {
    words.insert(words.begin(), "trace");
    CommandLine command_line;
    EXPECT_FALSE(read(words, command_line).has_value());
    if (!command_line.trace || !std::holds_alternative<Options>(*command_line.trace)) {
        ADD_FAILURE() << "not what was asked for";
        return {};
    }
    return std::get<Options>(*command_line.trace);
}

TEST(CommandLine, TraceReplayTakesListsEitherWay) {
    for (const auto& memory :
         std::vector<std::vector<std::string>>{{"--memory", "50%", "6GiB"},
                                               {"--memory", "50%,6GiB"},
                                               {"--memory=50%", "--memory=6GiB"}}) {
        std::vector<std::string> words = {"replay", "x.trace", "--from", "7"};
        words.insert(words.end(), memory.begin(), memory.end());
        const auto options = read_trace<TraceReplayOptions>(words);
        EXPECT_EQ(options.trace, "x.trace");
        EXPECT_EQ(options.from, 7u);
        EXPECT_EQ(options.memory, (std::vector<std::string>{"50%", "6GiB"}));
    }
}

TEST(CommandLine, TraceRecordLeavesTheCommandItsOptions) {
    for (const bool has_dashes : {true, false}) {
        std::vector<std::string> words = {"record", "-o", "x.trace", "--chunk", "64KiB"};
        if (has_dashes) words.emplace_back("--");
        words.insert(words.end(), {"sort", "-o", "y", "--window=3"});
        const auto options = read_trace<TraceRecordOptions>(words);
        EXPECT_EQ(options.to_path, "x.trace");
        EXPECT_EQ(options.chunk, "64KiB");
        EXPECT_EQ(options.window, "");
        EXPECT_EQ(options.command, (std::vector<std::string>{"sort", "-o", "y", "--window=3"}));
    }
}

TEST(CommandLine, TraceGenerateHasThePatternsOwnParameters) {
    const auto options = read_trace<TraceGenerateOptions>(
        {"generate", "zipf", "--alpha", "1.25", "--seed", "9", "-o", "x.trace"});
    ASSERT_NE(options.pattern, nullptr);
    EXPECT_STREQ(options.pattern->name, "zipf");
    EXPECT_EQ(options.seed, 9u);
    EXPECT_EQ(options.to_path, "x.trace");
    double alpha = 0;
    double chunks = 0;
    for (const auto& [name, value] : options.values) {
        if (name == "alpha") alpha = value;
        if (name == "chunks") chunks = value;
    }
    EXPECT_EQ(alpha, 1.25);
    EXPECT_EQ(chunks, 1000);
}

TEST(CommandLine, TraceInfoAndConvertAreToldApart) {
    EXPECT_TRUE(read_trace<TraceInfoOptions>({"info", "x", "--json"}).json);
    const auto options = read_trace<TraceConvertOptions>({"convert", "a", "b", "--to", "chunks"});
    EXPECT_EQ(options.from_path, "a");
    EXPECT_EQ(options.to_path, "b");
    EXPECT_EQ(options.to, "chunks");
}

TEST(CommandLine, WhatMakesNoSenseIsRefused) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"trace"},
             {"trace", "generate"},
             {"trace", "generate", "zipf"},
             {"trace", "generate", "zipf", "--alpha", "much", "-o", "x"},
             {"trace", "generate", "cyclic", "--alpha", "1", "-o", "x"},
             {"trace", "convert", "a", "b", "--to", "svg"},
             {"trace", "replay"},
             {"trace", "replay", "x", "--from", "-1"},
             {"trace", "generate", "cyclic", "--seed", "-1", "-o", "x"},
             {"trace", "record"}}) {
        SCOPED_TRACE(testing::PrintToString(words));
        CommandLine command_line;
        testing::internal::CaptureStderr();
        EXPECT_EQ(read(words, command_line), exit_refused);
        EXPECT_FALSE(testing::internal::GetCapturedStderr().empty());
    }
}

// Goal: trouble is one line on standard error and a status of its own.
TEST(CommandLine, ARefusalIsOneLineAndAStatus) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(run_trace(TraceInfoOptions{"/nowhere", false}), 1);
    const std::string line = testing::internal::GetCapturedStderr();
    EXPECT_EQ(line.rfind("ciuic: /nowhere: ", 0), 0u) << line;
    EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace ciuic::cli
