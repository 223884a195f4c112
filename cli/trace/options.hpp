// SPDX-License-Identifier: Apache-2.0
//
// What `ciuic trace` is asked for, one struct for each of its subcommands, and how it answers.
//
// Threads: any.
#pragma once

#include "trace/patterns.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ciuic::cli {

// What to print; a refusal is one line that says what is wrong and what to do.
struct Answer {
    std::string text;
    bool is_refusal = false;
};

inline Answer refusal(std::string line) { return {std::move(line), true}; }

struct TraceInfoOptions {
    std::string trace;
    bool json = false;
};

struct TraceConvertOptions {
    std::string from_path;
    std::string to_path;
    std::string from;   // ciuic, msr, oracle; empty: see the file
    std::string to;     // ciuic, perfetto, chunks; empty: see the name
    std::string chunk;  // a size; empty: 64KiB, or that of the trace
};

struct TraceGenerateOptions {
    const trace::Pattern* pattern = nullptr;
    std::vector<std::pair<std::string, double>> values;
    uint64_t seed = 1;
    std::string chunk = "2MiB";
    std::string to_path;
};

struct TraceReplayOptions {
    std::string trace;
    std::vector<std::string> memory;  // sizes or percentages of the footprint; empty: 50%, 75%, 90%
    std::vector<std::string> policies;  // empty: all
    uint64_t from = 0;                  // the first uses are not counted
    bool json = false;
};

Answer trace_info(const TraceInfoOptions& options);
Answer trace_convert(const TraceConvertOptions& options);
Answer trace_generate(const TraceGenerateOptions& options);
Answer trace_replay(const TraceReplayOptions& options);

}  // namespace ciuic::cli
