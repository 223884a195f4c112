// SPDX-License-Identifier: Apache-2.0
//
// Files of a test, and traces in them.
//
// Threads: one.
#pragma once

#include "cli/trace/options.hpp"
#include "tests/unit/trace/scratch_trace.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ciuic::cli {

using trace::test::ScratchFile;
using trace::test::write_all;

inline void make_trace(const ScratchFile& file, const char* pattern,
                       std::vector<std::pair<std::string, double>> values) {
    TraceGenerateOptions options;
    options.pattern = trace::find_pattern(pattern);
    ASSERT_NE(options.pattern, nullptr);
    options.values = std::move(values);
    options.to_path = file.path();
    const Answer answer = trace_generate(options);
    ASSERT_FALSE(answer.is_refusal) << answer.text;
}

inline trace::test::Content content_of(const ScratchFile& file) {
    trace::Reader reader;
    const auto content = trace::test::read_all(reader, file.path());
    if (!content.has_value()) {
        ADD_FAILURE() << reader.describe(content.error());
        return {};
    }
    return *content;
}

// One line that begins with what is wrong, and has more to say than that.
inline void expect_refusal(const Answer& answer, const std::string& start,
                           const std::string& part) {
    EXPECT_TRUE(answer.is_refusal);
    EXPECT_EQ(answer.text.rfind(start, 0), 0u) << answer.text;
    EXPECT_NE(answer.text.find(part), std::string::npos) << answer.text;
    EXPECT_EQ(answer.text.find('\n'), std::string::npos) << answer.text;
}

}  // namespace ciuic::cli
