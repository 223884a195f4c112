// SPDX-License-Identifier: Apache-2.0
#include "cli/summary.hpp"

#include "base/size_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace ciuic::cli {
namespace {

using Json = nlohmann::json;

std::string size(uint64_t bytes) { return format_size(bytes).data(); }

std::string decimals(double number, int digits) {
    char text[48];
    std::snprintf(text, sizeof text, "%.*f", digits, number);
    return text;
}

std::string percent(uint64_t part, uint64_t whole) {
    if (whole == 0) return "-";
    return decimals(100.0 * static_cast<double>(part) / static_cast<double>(whole), 1) + "%";
}

std::string lines_of(const Json& report) {
    const Json& total = report.at("total");
    const Json& device = report.at("device");
    const auto get = [&](const char* key) { return total.at(key).get<uint64_t>(); };
    const auto chunk_bytes = device.at("chunk_bytes").get<uint64_t>();
    const Json& by_cause = total.at("bytes_in_by_cause");
    // Peaks of sessions add up to more than there was at once.
    const uint64_t resident_chunks =
        std::min(get("frames_peak"), device.at("frames").get<uint64_t>());
    const double stalled_seconds = static_cast<double>(get("stall_ns")) / 1e9;

    std::string text;
    text += "ciuic: managed    " + size(get("large_bytes_served")) + " in " +
            std::to_string(get("large_served")) + " allocations, " +
            percent(get("large_served"), get("large_requests")) + " of the large ones; " +
            std::to_string(get("large_refused")) + " refused\n";
    text += "ciuic: resident   at most " + size(resident_chunks * chunk_bytes) + " of " +
            size(get("chunks_promised_peak") * chunk_bytes) + "; budget " +
            size(device.at("budget_bytes").get<uint64_t>()) + " (" +
            device.at("frame_kind").get<std::string>() + ", rung " +
            device.at("rung").get<std::string>() + ")\n";
    text += "ciuic: moved      " + size(get("store_bytes_written")) + " out to the store, " +
            size(get("store_bytes_read")) + " in from it (" +
            size(by_cause.at("prefetch").get<uint64_t>()) + " ahead of use); " +
            std::to_string(get("evictions")) + " evictions, " +
            std::to_string(get("evictions_clean")) + " without a write\n";
    text += "ciuic: stalled    " + decimals(stalled_seconds, 1) + " s in " +
            std::to_string(get("faults")) + " faults, of " +
            decimals(report.at("wall_seconds").get<double>(), 1) + " s\n";
    if (get("chunks_lost") > 0)
        text += "ciuic: LOST       " + std::to_string(get("chunks_lost")) +
                " chunks: their bytes could not be read back intact\n";
    return text;
}

}  // namespace

std::string summarize_report(const std::string& path) {
    try {
        std::ifstream file(path);
        return lines_of(Json::parse(file));
    } catch (const Json::exception& error) {
        return "ciuic: the report " + path + " cannot be read: " + error.what() + "\n";
    }
}

}  // namespace ciuic::cli
