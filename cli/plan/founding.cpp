// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/founding.hpp"

#include "cli/plan/catalogue.hpp"
#include "cli/plan/plan.hpp"
#include "cli/plan/words.hpp"

namespace ciuic::cli::plan {
namespace {

constexpr uint64_t gb = 1'000'000'000;

struct FoundingModel {
    const char* model;
    uint64_t budget_gb;
    double wanted_fraction;
};
constexpr FoundingModel language_models[] = {{"llama-7b", 6, 0.92},
                                             {"llama-13b", 10, 0.88},
                                             {"llama-30b", 16, 0.82},
                                             {"falcon-40b", 16, 0.9}};
constexpr FoundingModel diffusion_models[] = {
    {"sd-1.5", 3, 0.95}, {"sdxl", 6, 0.90}, {"dit-8b", 8, 0.85}};

struct FoundingWork {
    const char* title;
    const char* work;
    uint32_t batch;
    uint32_t context;
};
constexpr FoundingWork language_work[] = {
    {"decode 1, 2k context", "decode", 1, 2048}, {"decode 32, 512 context", "decode", 32, 512},
    {"prefill 1 x 512", "prefill", 1, 512},      {"prefill 1 x 2k", "prefill", 1, 2048},
    {"prefill 8 x 2k", "prefill", 8, 2048},      {"training 4 x 2k", "training", 4, 2048}};
constexpr FoundingWork diffusion_work = {"one step", "denoise", 1, 0};

std::string percent_or_dash(const machine::Bound& bound) {
    return bound.fraction == 0 ? "-" : percent_text(bound.fraction);
}

std::string row_of(const FoundingRow& row) {
    const std::string start = "| " + row.model + " | " + row.work + " | ";
    Plan plan;
    if (!make_plan(row.question, plan).empty())
        return start + "- | - | - | - | - | - | budget > card |\n";
    const machine::Bounds& bounds = plan.bounds;
    return start + seconds_text(bounds.native_s) + " | " +
           gb_text(bounds.placement.to_device_bytes) + " | " + percent_or_dash(bounds.stream) +
           " | " + percent_or_dash(bounds.compute) + " | " + percent_text(bounds.best_here()) +
           " | " + percent_text(plan.wanted_fraction) + " | " + verdict_of(plan) + " |\n";
}

}  // namespace

std::string verdict_of(const Plan& plan) {
    if (!plan.bounds.placement.is_possible) return "does not run";
    if (plan.is_reachable_here()) return "possible";
    if (plan.is_reachable()) return "host's memory too small";
    return "impossible without loss";
}

std::vector<FoundingRow> founding_rows(const std::string& card, const std::string& host) {
    std::vector<FoundingRow> rows;
    const auto add = [&](const FoundingModel& model, const FoundingWork& work) {
        rows.push_back({std::string(model.model) + " in " + std::to_string(model.budget_gb) + " GB",
                        work.title,
                        {model.model, card, host, work.work, model.budget_gb * gb, work.batch,
                         work.context, model.wanted_fraction}});
    };
    for (const FoundingModel& model : language_models)
        for (const FoundingWork& work : language_work) add(model, work);
    for (const FoundingModel& model : diffusion_models) add(model, diffusion_work);
    return rows;
}

std::string founding_table(const std::string& card_name, const std::string& host_name,
                           std::string& table) {
    CardFile card;
    if (std::string wrong = find_card(card_name, card); !wrong.empty()) return wrong;
    HostFile host;
    const std::string& in = host_name.empty() ? card.usual_host : host_name;
    if (std::string wrong = find_host(in, host); !wrong.empty()) return wrong;
    table += "**" + card.title + "**; " + host.title + "\n\n";
    table += "| model | work | native pass | in over the link | streamed | cold part on CPU | "
             "best in this host | wanted | without loss |\n|---|---|--:|--:|--:|--:|--:|--:|---|\n";
    for (const FoundingRow& row : founding_rows(card_name, host_name)) table += row_of(row);
    return {};
}

}  // namespace ciuic::cli::plan
