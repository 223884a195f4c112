// SPDX-License-Identifier: Apache-2.0
#include "cli/run_options.hpp"

#include "base/size_text.hpp"

#include <utility>

namespace ciuic::cli {

std::string check_run_options(RunOptions& options) {
    if (options.device != "auto" && options.device != "host")
        return "--device " + options.device +
               ": this version manages main memory only; leave the option out, or give host";
    if (!options.budget.empty() && !options.socket.empty())
        return "--socket names a daemon that is running, --budget starts one; give one of them";
    if (options.budget.empty()) {
        const std::pair<const char*, bool> needs[] = {
            {"--total", !options.total.empty()},   {"--swap-dir", !options.swap_dir.empty()},
            {"--chunk", !options.chunk.empty()},   {"--frames", !options.frames.empty()},
            {"--report", !options.report.empty()}, {"--summary", options.summary},
        };
        for (const auto& [option, given] : needs)
            if (given)
                return std::string(option) +
                       " is for a daemon of this command's own; give --budget "
                       "too, or leave it out to use the running daemon";
    }
    if (options.threshold.empty()) return {};
    const auto bytes = parse_size(options.threshold);
    if (!bytes.has_value()) return "--threshold " + options.threshold + ": " + bytes.error().what;
    if (*bytes < 64 * 1024)
        return "--threshold " + options.threshold +
               ": every managed allocation takes whole chunks; give 64KiB or more";
    options.threshold_bytes = *bytes;
    return {};
}

}  // namespace ciuic::cli
