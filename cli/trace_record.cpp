// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_record.hpp"

#include "base/size_text.hpp"
#include "cli/run.hpp"
#include "limits.hpp"

#include <sys/statvfs.h>

#include <cstdio>
#include <fstream>
#include <utility>

namespace ciuic::cli {
namespace {

constexpr const char* memory_place = "/dev/shm";

uint64_t size_of(const char* option, const std::string& text, std::string& problem) {
    const Result<uint64_t> size = parse_size(text);
    if (!size.has_value() && problem.empty())
        problem = std::string(option) + " " + text + ": " + size.error().what;
    return size.has_value() ? *size : 0;
}

}  // namespace

StoreRoom look_for_room() {
    StoreRoom room;
    struct statvfs status {};
    if (::statvfs(memory_place, &status) == 0)
        room.shm_free_bytes = status.f_bavail * status.f_frsize;
    std::ifstream facts("/proc/meminfo");
    std::string key;
    uint64_t kibibytes = 0;
    for (std::string rest; facts >> key >> kibibytes; std::getline(facts, rest))
        if (key == "MemAvailable:") room.available_bytes = kibibytes * KiB;
    return room;
}

RunOptions make_recorded_run(const TraceRecordOptions& options, const StoreRoom& room,
                             std::string& problem) {
    RunOptions run;
    const uint64_t chunk_bytes = size_of("--chunk", options.chunk, problem);
    const uint64_t total_bytes = size_of("--total", options.total, problem);
    const uint64_t least_bytes = limits::frames_min * chunk_bytes;
    uint64_t window_bytes = least_bytes;
    if (!options.window.empty()) window_bytes = size_of("--window", options.window, problem);
    if (!problem.empty()) return run;
    const bool is_chunk = is_power_of_two(chunk_bytes) && chunk_bytes >= limits::chunk_bytes_min &&
                          chunk_bytes <= limits::chunk_bytes_max;
    if (!is_chunk)
        problem = "--chunk " + options.chunk + ": a chunk is a power of two from 64KiB to 64MiB";
    else if (window_bytes < least_bytes)
        problem = "--window " + options.window + ": one instruction can need " +
                  std::to_string(limits::frames_min) + " chunks at once; give at least " +
                  format_size(least_bytes).data() + ", or a smaller chunk";
    run.record = options.to_path;
    run.budget = std::to_string(window_bytes);
    run.chunk = std::to_string(chunk_bytes);
    run.total = std::to_string(total_bytes);
    run.swap_dir = options.swap_dir;
    // The whole file is memory from the start, and the command needs some, too.
    if (run.swap_dir.empty() && room.shm_free_bytes >= total_bytes &&
        room.available_bytes >= 2 * total_bytes)
        run.swap_dir = memory_place;
    run.threshold = options.threshold;
    run.serve_mmap = options.serve_mmap;
    run.summary = options.summary;
    run.strict = true;
    run.command = options.command;
    return run;
}

int run_trace_record(const TraceRecordOptions& options) {
    std::string problem;
    RunOptions made = make_recorded_run(options, look_for_room(), problem);
    if (problem.empty()) return run(std::move(made));
    std::fprintf(stderr, "ciuic: %s\n", problem.c_str());
    return exit_refused;
}

}  // namespace ciuic::cli
