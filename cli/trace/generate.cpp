// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace generate`: a made trace, from a pattern's parameters and a seed.
#include "cli/trace/chunk_size.hpp"
#include "cli/trace/options.hpp"

#include "trace/writer.hpp"

#include <cstdio>
#include <cstring>

namespace ciuic::cli {
namespace {

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

std::string bounds_of(const trace::Pattern& pattern, const std::string& name) {
    for (const auto parameters : {pattern.parameters, trace::common_parameters()})
        for (const trace::Parameter& parameter : parameters)
            if (name == parameter.name)
                return std::string(parameter.is_whole ? "a whole number from " : "from ") +
                       number_text(parameter.least) + " to " + number_text(parameter.most);
    return "no parameter of " + std::string(pattern.name);
}

}  // namespace

Answer trace_generate(const TraceGenerateOptions& options) {
    trace::Values values(*options.pattern);
    for (const auto& [name, value] : options.values)
        if (!values.set(name, value).has_value())
            return refusal("--" + name + " " + number_text(value) + ": " +
                           bounds_of(*options.pattern, name));
    const uint64_t chunk_bytes = parse_chunk_size(options.chunk);
    if (chunk_bytes == 0) return refusal(chunk_size_problem(options.chunk));
    trace::Writer writer;
    Status status = writer.create(options.to_path, chunk_bytes);
    if (status.has_value()) {
        trace::make_pattern(values, options.seed, writer);
        status = writer.finish();
    }
    if (status.has_value()) return {};
    std::string line = options.to_path + ": " + status.error().what;
    if (status.error().os_error != 0)
        line += std::string(" (") + std::strerror(status.error().os_error) + ")";
    if (status.error().code == Errc::range) line += ": ask for less";
    return refusal(line);
}

}  // namespace ciuic::cli
