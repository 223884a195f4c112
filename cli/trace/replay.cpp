// SPDX-License-Identifier: Apache-2.0
//
// `ciuic trace replay`: how often each policy would have had what a trace uses, beside the optimum.
#include "cli/trace/flat_trace.hpp"
#include "cli/trace/models/cache_model.hpp"
#include "cli/trace/options.hpp"

#include "base/size_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace ciuic::cli {
namespace {

struct Memory {
    std::string asked;
    uint32_t chunks = 0;
};

struct Row {
    const models::NamedModel* model;
    std::vector<uint64_t> hits;  // by memory
};

// Nothing: it is neither a percentage nor a size of at least a chunk.
std::optional<uint32_t> memory_chunks(const std::string& text, const FlatTrace& flat) {
    double chunks = 0;
    if (!text.empty() && text.back() == '%') {
        char* end = nullptr;
        const double percent = std::strtod(text.c_str(), &end);
        if (end != text.c_str() + text.size() - 1 || !std::isfinite(percent)) return {};
        chunks = std::floor(percent / 100 * flat.footprint_chunks + 1e-9);
    } else {
        const Result<uint64_t> size = parse_size(text);
        if (!size.has_value()) return {};
        chunks = std::floor(static_cast<double>(*size) / static_cast<double>(flat.chunk_bytes));
    }
    if (!(chunks >= 1)) return {};
    return static_cast<uint32_t>(std::min(chunks, 4e9));
}

uint64_t count_hits(const models::NamedModel& model, uint32_t chunks, const FlatTrace& flat,
                    uint64_t from) {
    const auto cache = model.make(chunks, flat.uses);
    uint64_t hits = 0;
    for (size_t at = 0; at < flat.uses.size(); ++at)
        hits += static_cast<uint64_t>(cache->use(flat.uses[at]) && at >= from);
    return hits;
}

std::string names_of_all() {
    std::string names;
    for (const models::NamedModel& model : models::all_models())
        names += (names.empty() ? "" : ", ") + std::string(model.name);
    return names;
}

// The optimum is the last row in any case. Empty: one of the names is unknown.
std::vector<Row> rows_for(const std::vector<std::string>& policies, std::string& unknown) {
    std::vector<Row> rows;
    const models::NamedModel& optimum = models::all_models().back();
    for (const models::NamedModel& model : models::all_models())
        if (policies.empty() && &model != &optimum) rows.push_back({&model, {}});
    for (const std::string& name : policies) {
        const models::NamedModel* model = models::find_model(name);
        if (!model) {
            unknown = name;
            return {};
        }
        if (model != &optimum) rows.push_back({model, {}});
    }
    rows.push_back({&optimum, {}});
    return rows;
}

struct Replay {
    const TraceReplayOptions& options;
    const FlatTrace& flat;
    std::vector<Memory> memories;
    std::vector<Row> rows;

    uint64_t counted() const { return flat.uses.size() - options.from; }
    double ratio(const Row& row, size_t memory) const {
        return static_cast<double>(row.hits[memory]) / static_cast<double>(counted());
    }
    // 1 where even the optimum has no hits.
    double share(const Row& row, size_t memory) const {
        const uint64_t best = rows.back().hits[memory];
        return best == 0 ? 1 : static_cast<double>(row.hits[memory]) / static_cast<double>(best);
    }
};

std::string json_of(const Replay& replay) {
    nlohmann::ordered_json json;
    json["schema"] = "ciuic-trace-replay-1";
    json["trace"] = replay.options.trace;
    json["chunk_bytes"] = replay.flat.chunk_bytes;
    json["footprint_chunks"] = replay.flat.footprint_chunks;
    json["uses"] = replay.flat.uses.size();
    json["from"] = replay.options.from;
    json["memories"] = nlohmann::ordered_json::array();
    for (size_t at = 0; at < replay.memories.size(); ++at) {
        nlohmann::ordered_json memory;
        memory["asked"] = replay.memories[at].asked;
        memory["chunks"] = replay.memories[at].chunks;
        memory["policies"] = nlohmann::ordered_json::array();
        for (const Row& row : replay.rows) {
            nlohmann::ordered_json policy;
            policy["name"] = row.model->name;
            policy["hits"] = row.hits[at];
            policy["hit_ratio"] = replay.ratio(row, at);
            policy["of_belady"] = replay.share(row, at);
            memory["policies"].push_back(std::move(policy));
        }
        json["memories"].push_back(std::move(memory));
    }
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string text_of(const Replay& replay) {
    char cell[128];
    const auto size = format_size(replay.flat.footprint_chunks * replay.flat.chunk_bytes);
    std::snprintf(cell, sizeof cell, "%llu uses of %u chunks, %s in all",
                  static_cast<unsigned long long>(replay.counted()), replay.flat.footprint_chunks,
                  size.data());
    std::string text = cell;
    if (replay.options.from > 0)
        text += ", the first " + std::to_string(replay.options.from) + " not counted";
    text += "\nhit ratio in so much memory, and its part of the optimum\n\n          ";
    for (const Memory& memory : replay.memories) {
        std::snprintf(cell, sizeof cell, "  %*s", 16, memory.asked.c_str());
        text += cell;
    }
    text += '\n';
    for (const Row& row : replay.rows) {
        std::snprintf(cell, sizeof cell, "%-10s", row.model->name);
        text += cell;
        for (size_t at = 0; at < replay.memories.size(); ++at) {
            std::snprintf(cell, sizeof cell, "   %.4f %5.1f %%", replay.ratio(row, at),
                          100 * replay.share(row, at));
            text += cell;
        }
        text += '\n';
    }
    return text;
}

}  // namespace

Answer trace_replay(const TraceReplayOptions& options) {
    std::string unknown;
    std::vector<Row> rows = rows_for(options.policies, unknown);
    if (rows.empty())
        return refusal("--policy " + unknown + ": no such policy; there are " + names_of_all());
    trace::Reader reader;
    const Result<FlatTrace> flat = flatten(reader, options.trace);
    if (!flat.has_value()) return refusal(reader.describe(flat.error()));
    if (options.from >= flat->uses.size())
        return refusal(options.trace + ": it has " + std::to_string(flat->uses.size()) +
                       " uses; --from has to leave some to count");
    Replay replay{options, *flat, {}, std::move(rows)};
    const std::vector<std::string> usual = {"50%", "75%", "90%"};
    for (const std::string& asked : options.memory.empty() ? usual : options.memory) {
        const auto chunks = memory_chunks(asked, *flat);
        if (!chunks)
            return refusal("--memory " + asked +
                           ": neither a part of the footprint, as 50%, nor a size of at least a "
                           "chunk, " +
                           format_size(flat->chunk_bytes).data());
        replay.memories.push_back({asked, *chunks});
    }
    for (Row& row : replay.rows)
        for (const Memory& memory : replay.memories)
            row.hits.push_back(count_hits(*row.model, memory.chunks, *flat, options.from));
    return {options.json ? json_of(replay) : text_of(replay)};
}

}  // namespace ciuic::cli
