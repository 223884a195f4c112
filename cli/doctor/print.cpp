// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/print.hpp"

#include "base/size_text.hpp"
#include "cli/doctor/rung.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace ciuic::cli::doctor {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t state_columns = 6;

const char* name_of(State state) {
    switch (state) {
    case State::ok: return "ok";
    case State::warn: return "warn";
    case State::fail: return "fail";
    }
    return "";
}

std::string padded(std::string text, size_t columns) {
    text.resize(std::max(columns, text.size()), ' ');
    return text;
}

size_t count(const std::vector<Finding>& findings, State state) {
    return static_cast<size_t>(
        std::count_if(findings.begin(), findings.end(),
                      [state](const Finding& finding) { return finding.state == state; }));
}

Json known(uint64_t number) { return number == unlimited ? Json() : Json(number); }

Json rung_json(const Rung& rung) { return rung.name ? Json(rung.name) : Json(); }

Json memory_json(const Facts& facts) {
    const MemoryFacts& memory = facts.memory;
    return {{"total_bytes", memory.total_bytes},
            {"available_bytes", memory.available_bytes},
            {"limit_bytes", memory.limit_bytes == 0 ? Json() : Json(memory.limit_bytes)},
            {"huge_page_bytes", memory.huge_page_bytes},
            {"huge_pages_total", memory.huge_pages_total},
            {"huge_pages_free", memory.huge_pages_free},
            {"shmem_enabled", memory.shmem_huge}};
}

Json store_json(const StoreFacts& store) {
    Json json = {{"path", store.path},
                 {"file_system", store.file_system},
                 {"direct", store.is_direct},
                 {"free_bytes", store.free_bytes}};
    const DiskRate& rate = store.rate;
    json["write_mb_per_s"] = rate.is_measured ? Json(rate.write_mb_per_s) : Json();
    json["read_mb_per_s"] = rate.is_measured ? Json(rate.read_mb_per_s) : Json();
    json["read_64kib_us"] = rate.is_measured ? Json(rate.read_64kib_us) : Json();
    return json;
}

}  // namespace

std::string text_of(const Facts& facts, const std::vector<Finding>& findings) {
    size_t id_columns = 0;
    for (const Finding& finding : findings)
        id_columns = std::max(id_columns, finding.id.size() + 2);
    const std::string indent(state_columns + id_columns, ' ');
    std::string text;
    for (const Finding& finding : findings) {
        text += padded(name_of(finding.state), state_columns) + padded(finding.id, id_columns) +
                finding.what + "\n";
        if (finding.state == State::ok) continue;
        text += indent + "why: " + finding.why + "\n";
        const char* lead = "do:  ";
        for (const std::string& remedy : finding.remedies) {
            text.append(indent).append(lead).append(remedy).append("\n");
            lead = "or:  ";
        }
    }
    text += "\nfor a budget of " + std::string(format_size(facts.budget_bytes).data()) + ": " +
            std::to_string(count(findings, State::fail)) + " failed, " +
            std::to_string(count(findings, State::warn)) + " could be better, " +
            std::to_string(count(findings, State::ok)) + " ok\n";
    return text;
}

std::string json_of(const Facts& facts, const std::vector<Finding>& findings) {
    const HostFeatures& features = facts.kernel.features;
    Json json;
    json["schema"] = "ciuic-doctor-1";
    json["ok"] = !any_fails(findings);
    json["rung"] = {{"shared", rung_json(shared_rung(features))},
                    {"embedded", rung_json(embedded_rung(features))}};
    json["user"] = facts.user;
    json["budget_bytes"] = facts.budget_bytes;
    json["kernel_release"] = facts.kernel.release;
    json["memory"] = memory_json(facts);
    json["limits"] = {{"memlock_bytes", known(facts.limits.memlock_bytes)},
                      {"open_files", known(facts.limits.nofile_hard)},
                      {"max_map_count", facts.limits.max_map_count == 0
                                            ? Json()
                                            : Json(facts.limits.max_map_count)}};
    json["io"] = facts.io.ring_error == 0 ? "io_uring" : "threads";
    json["store"] = store_json(facts.store);
    json["findings"] = Json::array();
    for (const Finding& finding : findings)
        json["findings"].push_back({{"id", finding.id},
                                    {"state", name_of(finding.state)},
                                    {"what", finding.what},
                                    {"why", finding.why},
                                    {"remedies", finding.remedies}});
    return json.dump(2) + "\n";
}

}  // namespace ciuic::cli::doctor
