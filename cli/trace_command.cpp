// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_command.hpp"

#include <cstdio>

namespace ciuic::cli {
namespace {

Answer answer_to(const TraceInfoOptions& options) { return trace_info(options); }
Answer answer_to(const TraceConvertOptions& options) { return trace_convert(options); }
Answer answer_to(const TraceGenerateOptions& options) { return trace_generate(options); }
Answer answer_to(const TraceReplayOptions& options) { return trace_replay(options); }
// It answers by what it does.
Answer answer_to(const TraceRecordOptions&) { return {}; }

}  // namespace

int run_trace(const TraceOptions& options) {
    if (const auto* record = std::get_if<TraceRecordOptions>(&options))
        return run_trace_record(*record);
    const Answer answer = std::visit([](const auto& one) { return answer_to(one); }, options);
    if (answer.is_refusal) {
        std::fprintf(stderr, "ciuic: %s\n", answer.text.c_str());
        return 1;
    }
    std::fputs(answer.text.c_str(), stdout);
    return 0;
}

}  // namespace ciuic::cli
