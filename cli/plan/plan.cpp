// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/plan.hpp"

#include "cli/plan/catalogue.hpp"
#include "cli/plan/fields.hpp"

#include <algorithm>

namespace ciuic::cli::plan {
namespace {

using machine::ModelKind;
using machine::WorkKind;

constexpr WorkKind transformer_work[] = {WorkKind::decode, WorkKind::prefill, WorkKind::training};

std::string choose_work(const std::string& name, const ModelFile& model, WorkKind& kind) {
    const bool is_diffusion = model.shape.kind == ModelKind::diffusion;
    if (name.empty()) {
        kind = is_diffusion ? WorkKind::denoise : WorkKind::decode;
        return {};
    }
    if (is_diffusion && name == name_of(WorkKind::denoise)) {
        kind = WorkKind::denoise;
        return {};
    }
    for (const WorkKind known : transformer_work)
        if (!is_diffusion && name == name_of(known)) {
            kind = known;
            return {};
        }
    return "--work " + name + ": " + model.name +
           (is_diffusion ? " is a diffusion model; its work is denoise"
                         : " is a language model; its work is decode, prefill or training");
}

double step_utilisation(const ModelFile& model, const std::string& card) {
    if (model.utilisation.empty()) return 0;
    const auto named = model.utilisation.find(card);
    return named == model.utilisation.end() ? model.utilisation.at("other") : named->second;
}

std::string gib_text(uint64_t bytes) {
    return number_text(static_cast<double>(bytes) / (1ull << 30)) + " GiB";
}

}  // namespace

bool Plan::is_reachable() const {
    return std::max(bounds.stream.fraction, bounds.compute.fraction) >= wanted_fraction;
}

bool Plan::is_reachable_here() const { return bounds.best_here() >= wanted_fraction; }

const char* name_of(WorkKind kind) {
    switch (kind) {
    case WorkKind::decode: return "decode";
    case WorkKind::prefill: return "prefill";
    case WorkKind::training: return "training";
    case WorkKind::denoise: return "denoise";
    }
    return "";
}

std::string make_plan(const Question& question, Plan& plan) {
    if (std::string wrong = find_model(question.model, plan.model); !wrong.empty()) return wrong;
    if (std::string wrong = find_card(question.card, plan.card); !wrong.empty()) return wrong;
    const std::string& host = question.host.empty() ? plan.card.usual_host : question.host;
    if (std::string wrong = find_host(host, plan.host); !wrong.empty()) return wrong;
    if (std::string wrong = choose_work(question.work, plan.model, plan.work.kind); !wrong.empty())
        return wrong;
    if (question.budget_bytes > plan.card.card.memory_bytes)
        return "the budget, " + gib_text(question.budget_bytes) + ", is more than the card has, " +
               gib_text(plan.card.card.memory_bytes);
    plan.work.batch = question.batch;
    plan.work.context = plan.work.kind == WorkKind::denoise ? 0 : question.context;
    plan.work.step_utilisation = step_utilisation(plan.model, plan.card.name);
    plan.budget_bytes = question.budget_bytes;
    plan.wanted_fraction = question.wanted_fraction;
    plan.load = load_of(plan.model.shape, plan.work);
    plan.bounds = bounds_of(plan.load, plan.card.card, plan.host.host, plan.budget_bytes);
    plan.remedies = remedies_of(plan.model.shape, plan.load, plan.bounds, plan.card.card,
                                plan.host.host, plan.budget_bytes, plan.wanted_fraction);
    return {};
}

}  // namespace ciuic::cli::plan
