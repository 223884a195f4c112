// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace`: what a program used, and how often policies would have had it.
//
// Not here: how the options are read (trace_command_line), what each subcommand does (trace/,
// trace_record).
// Threads: one.
#pragma once

#include "cli/trace/options.hpp"
#include "cli/trace_record.hpp"

#include <variant>

namespace ciuic::cli {

using TraceOptions = std::variant<TraceInfoOptions, TraceConvertOptions, TraceGenerateOptions,
                                  TraceReplayOptions, TraceRecordOptions>;

// 0; 1: something is wrong with a file or an option, which one line says. A recording ends as its
// command does.
int run_trace(const TraceOptions& options);

}  // namespace ciuic::cli
