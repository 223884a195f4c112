// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace info`: what is in a trace, in a few lines.
#include "cli/trace/options.hpp"

#include "base/size_text.hpp"
#include "trace/reader.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <map>
#include <set>

namespace ciuic::cli {
namespace {

constexpr size_t names_shown = 12;

struct RegionFacts {
    uint64_t uses = 0;
    uint64_t distinct = 0;
};

struct TraceFacts {
    uint64_t uses = 0;
    uint64_t records = 0;
    uint64_t writes = 0;
    uint64_t distinct = 0;
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    std::set<uint32_t> threads;
    std::map<std::string, uint64_t> phases;  // by name, how often
    uint64_t phase_marks = 0;
    std::vector<RegionFacts> regions;
};

void count(const trace::Reader& reader, std::vector<bool>& was_used, TraceFacts& facts) {
    const trace::Use& use = reader.use();
    RegionFacts& region = facts.regions[use.region];
    for (uint32_t at = 0; at < use.count; ++at) {
        std::vector<bool>::reference used = was_used[reader.first_chunk() + at];
        if (!used) {
            ++facts.distinct;
            ++region.distinct;
        }
        used = true;
    }
    if (facts.records++ == 0) facts.first_ns = use.time_ns;
    facts.last_ns = use.time_ns;
    facts.uses += use.count;
    region.uses += use.count;
    if (use.is_write) facts.writes += use.count;
    facts.threads.insert(use.thread);
}

Result<TraceFacts> gather(trace::Reader& reader, const std::string& path) {
    CIUIC_TRY_STATUS(reader.open(path));
    TraceFacts facts;
    std::vector<bool> was_used;
    for (;;) {
        CIUIC_TRY(const trace::Found found, reader.next());
        switch (found) {
        case trace::Found::end: return facts;
        case trace::Found::region:
            was_used.resize(reader.chunks());
            facts.regions.emplace_back();
            break;
        case trace::Found::phase:
            ++facts.phase_marks;
            ++facts.phases[reader.phase()];
            break;
        case trace::Found::use: count(reader, was_used, facts); break;
        }
    }
}

std::string json_of(const trace::Reader& reader, const TraceFacts& facts) {
    nlohmann::ordered_json json;
    json["schema"] = "ciuic-trace-info-1";
    json["chunk_bytes"] = reader.chunk_bytes();
    json["uses"] = facts.uses;
    json["writes"] = facts.writes;
    json["records"] = facts.records;
    json["distinct_chunks"] = facts.distinct;
    json["footprint_bytes"] = facts.distinct * reader.chunk_bytes();
    json["threads"] = facts.threads.size();
    json["span_ns"] = facts.last_ns - facts.first_ns;
    json["regions"] = nlohmann::ordered_json::array();
    for (size_t at = 0; at < facts.regions.size(); ++at) {
        nlohmann::ordered_json region;
        region["name"] = reader.regions()[at].name;
        region["chunks"] = reader.regions()[at].chunks;
        region["distinct_chunks"] = facts.regions[at].distinct;
        region["uses"] = facts.regions[at].uses;
        json["regions"].push_back(std::move(region));
    }
    json["phases"] = nlohmann::ordered_json::object();
    for (const auto& [name, times] : facts.phases) json["phases"][name] = times;
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

template <typename... Values>
void add_line(std::string& text, const char* format, const Values&... values) {
    char line[400];
    std::snprintf(line, sizeof line, format, values...);
    text += line;
}

using Whole = unsigned long long;

std::string text_of(const trace::Reader& reader, const TraceFacts& facts) {
    std::string text;
    const auto size = format_size(facts.distinct * reader.chunk_bytes());
    add_line(text, "uses       %llu, of which %llu write\n", Whole{facts.uses},
             Whole{facts.writes});
    add_line(text, "footprint  %s: %llu chunks of %s\n", size.data(), Whole{facts.distinct},
             format_size(reader.chunk_bytes()).data());
    add_line(text, "span       %.6f s\n",
             static_cast<double>(facts.last_ns - facts.first_ns) / 1e9);
    add_line(text, "threads    %zu\n", facts.threads.size());
    add_line(text, "regions    %zu\n", facts.regions.size());
    for (size_t at = 0; at < facts.regions.size() && at < names_shown; ++at)
        add_line(text, "  %-24s %llu uses of %llu of its %llu chunks\n",
                 reader.regions()[at].name.c_str(), Whole{facts.regions[at].uses},
                 Whole{facts.regions[at].distinct}, Whole{reader.regions()[at].chunks});
    if (facts.regions.size() > names_shown) text += "  and more: --json has them all\n";
    add_line(text, "phases     %llu\n", Whole{facts.phase_marks});
    size_t shown = 0;
    for (const auto& [name, times] : facts.phases) {
        if (shown++ == names_shown) {
            text += "  and more: --json has them all\n";
            break;
        }
        add_line(text, "  %-24s %llu times\n", name.c_str(), Whole{times});
    }
    return text;
}

}  // namespace

Answer trace_info(const TraceInfoOptions& options) {
    trace::Reader reader;
    const Result<TraceFacts> facts = gather(reader, options.trace);
    if (!facts.has_value()) return refusal(reader.describe(facts.error()));
    return {options.json ? json_of(reader, *facts) : text_of(reader, *facts)};
}

}  // namespace ciuic::cli
