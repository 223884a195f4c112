// SPDX-License-Identifier: Apache-2.0
#include "cli/run_options.hpp"

#include "base/size_text.hpp"

#include <CLI/CLI.hpp>

namespace ciuic::cli {

void add_run_options(CLI::App& run, RunOptions& options) {
    const std::string own = "With --budget: a daemon for this command alone";
    run.add_option("--budget", options.budget, "memory that may really be used, e.g. 6GiB");
    run.add_option("--total", options.total, "most memory in all, the swap file's size")
        ->group(own);
    run.add_option("--swap-dir", options.swap_dir, "where the swap file goes (/var/tmp)")
        ->group(own);
    run.add_option("--chunk", options.chunk, "unit of residency, a power of two (2MiB)")
        ->group(own);
    run.add_option("--frames", options.frames, "auto, hugetlb, tmpfs or memfd")->group(own);
    run.add_option("--report", options.report, "write a JSON report here at the end")->group(own);
    run.add_flag("--summary,-v", options.summary, "a short report on standard error")->group(own);

    run.add_option("--socket", options.socket, "of a running daemon, instead of --budget");
    run.add_option("--device", options.device, "auto or host");
    run.add_option("--threshold", options.threshold,
                   "allocations of this size and above are managed (1MiB)");
    run.add_flag("--mmap", options.serve_mmap, "manage large anonymous mappings, too");
    run.add_flag("--strict", options.strict,
                 "end with code 125 where the command's memory cannot be managed");
    run.add_option("command", options.command, "what to run, with its arguments")
        ->required()
        ->option_text("-- CMD [ARG]...");
    run.positionals_at_end();
}

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
