// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace convert`: from one format to another, told by the file's first bytes or its name
// where the options do not say.
#include "cli/trace/chunk_size.hpp"
#include "cli/trace/exports.hpp"
#include "cli/trace/foreign.hpp"
#include "cli/trace/options.hpp"

#include "trace/encoding.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>

namespace ciuic::cli {
namespace {

constexpr uint64_t foreign_chunk_bytes = 64 * KiB;

bool ends_with(const std::string& text, std::string_view end) {
    return text.size() >= end.size() &&
           std::string_view(text).substr(text.size() - end.size()) == end;
}

// Empty: it cannot be told.
std::string format_of(const std::string& path) {
    std::array<char, trace::file_magic.size()> start{};
    std::ifstream(path, std::ios::binary).read(start.data(), start.size());
    if (start == trace::file_magic) return "ciuic";
    if (ends_with(path, ".csv")) return "msr";
    if (path.find("oracleGeneral") != std::string::npos) return "oracle";
    return {};
}

std::string format_for(const std::string& path) {
    if (ends_with(path, ".json")) return "perfetto";
    if (ends_with(path, ".txt")) return "chunks";
    return "ciuic";
}

std::string problem_of(const std::string& path, const Error& error) {
    std::string line = path + ": " + error.what;
    if (error.os_error != 0) line += std::string(" (") + std::strerror(error.os_error) + ")";
    return line;
}

Answer to_others(const TraceConvertOptions& options, const std::string& to) {
    trace::Reader reader;
    if (Status opened = reader.open(options.from_path); !opened.has_value())
        return refusal(reader.describe(opened.error()));
    OutFile file;
    if (Status created = file.create(options.to_path); !created.has_value())
        return refusal(problem_of(options.to_path, created.error()));
    const Status exported =
        to == "perfetto" ? export_perfetto(reader, file) : export_chunks(reader, file);
    if (!exported.has_value()) return refusal(reader.describe(exported.error()));
    if (Status finished = file.finish(); !finished.has_value())
        return refusal(problem_of(options.to_path, finished.error()));
    return {};
}

Answer to_ours(const TraceConvertOptions& options, const std::string& from) {
    const uint64_t chunk_bytes =
        options.chunk.empty() ? foreign_chunk_bytes : parse_chunk_size(options.chunk);
    if (chunk_bytes == 0) return refusal(chunk_size_problem(options.chunk));
    trace::Writer writer;
    if (Status created = writer.create(options.to_path, chunk_bytes); !created.has_value())
        return refusal(problem_of(options.to_path, created.error()));
    const std::string problem = from == "msr" ? convert_msr(options.from_path, chunk_bytes, writer)
                                              : convert_oracle(options.from_path, writer);
    if (!problem.empty()) return refusal(problem);
    if (Status finished = writer.finish(); !finished.has_value())
        return refusal(problem_of(options.to_path, finished.error()));
    return {};
}

}  // namespace

Answer trace_convert(const TraceConvertOptions& options) {
    const std::string from = options.from.empty() ? format_of(options.from_path) : options.from;
    const std::string to = options.to.empty() ? format_for(options.to_path) : options.to;
    if (from.empty())
        return refusal(options.from_path +
                       ": its format cannot be told; say --from msr or --from oracle");
    if (from == "ciuic" && to == "ciuic")
        return refusal(options.from_path +
                       ": it is a trace of Ciuic already; --to perfetto or --to "
                       "chunks converts it");
    if (from != "ciuic" && to != "ciuic")
        return refusal(options.from_path + ": convert it to a trace of Ciuic first, then that to " +
                       to);
    if (options.from_path == options.to_path)
        return refusal(options.to_path + ": it cannot be converted onto itself; name another file");
    return from == "ciuic" ? to_others(options, to) : to_ours(options, from);
}

}  // namespace ciuic::cli
