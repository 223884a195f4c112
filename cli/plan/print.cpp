// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/print.hpp"

#include "cli/plan/fields.hpp"
#include "cli/plan/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ciuic::cli::plan {
namespace {

using Json = nlohmann::ordered_json;
using machine::Bound;
using machine::WorkKind;

constexpr size_t label_columns = 20;

std::string row(std::string label, const std::string& text) {
    label.resize(std::max(label_columns, label.size()), ' ');
    return label + text + "\n";
}

std::string work_text(const machine::Work& work) {
    std::string text = name_of(work.kind) + std::string(", batch ") + std::to_string(work.batch);
    if (work.kind != WorkKind::denoise) text += ", context " + std::to_string(work.context);
    return text;
}

void append_part(std::string& text, uint64_t bytes, const char* name) {
    if (bytes == 0) return;
    text += (text.empty() ? "" : ", ") + gb_text(static_cast<double>(bytes)) + " " + name;
}

std::string parts_text(const Plan& plan) {
    const machine::Load& load = plan.load;
    std::string text;
    append_part(text, load.weight_bytes, "weights");
    append_part(text, load.expert_bytes, "routed experts");
    append_part(text, load.kv_bytes, "keys and values");
    append_part(text, load.gradient_bytes, "gradients");
    append_part(text, load.optimizer_bytes, "optimizer state");
    append_part(text, load.checkpoint_bytes, "checkpoints");
    append_part(text, load.activation_bytes, "activations and workspace");
    append_part(text, plan.card.card.context_bytes, "driver's context");
    return text;
}

// What of the state has its place on the card, in the order in which placement gives it.
std::string resident_text(const Plan& plan) {
    const machine::Placement& placement = plan.bounds.placement;
    const uint64_t state = plan.load.state_bytes();
    std::string text = gb_text(static_cast<double>(placement.resident_bytes)) + " of " +
                       gb_text(static_cast<double>(state)) + " of the model's state";
    if (placement.cold_bytes == 0) return text + ": all";
    const uint64_t kv = std::min(plan.load.kv_bytes, placement.resident_bytes);
    if (kv > 0)
        text += ": " + gb_text(static_cast<double>(kv)) + " keys and values, " +
                gb_text(static_cast<double>(placement.resident_bytes - kv)) + " weights";
    return text;
}

std::string bound_row(const char* label, const Bound& bound) {
    if (bound.fraction == 0) return row(label, "not possible");
    char text[64];
    std::snprintf(text, sizeof text, "%10s  %8s", seconds_text(bound.seconds).c_str(),
                  percent_text(bound.fraction).c_str());
    return row(label, text);
}

std::string tokens_text(double tokens) {
    // Two digits: the utilisation behind it is known no better.
    const double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(tokens)) - 1));
    return number_text(std::ceil(tokens / unit) * unit);
}

std::string decimals(double number, int count) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", count, number);
    return text;
}

std::string quantise_sentence(const Plan& plan) {
    const double bits = std::floor(plan.remedies.resident_bits * 10) / 10;
    return decimals(bits, 1) + " bits for each weight fit without any streaming; lossy" +
           (bits < 4 ? ", and below 4 bits quality suffers with every method known" : "");
}

std::string batch_sentence(const Plan& plan) {
    const bool is_training = plan.work.kind == WorkKind::training;
    return "about " + tokens_text(plan.remedies.tokens_per_pass) + " tokens in each " +
           (is_training ? "step" : "pass") + " reach " + percent_text(plan.wanted_fraction) +
           (is_training ? "" : ": prompts together, scoring, guesses verified at once");
}

std::string do_not_sentence(const Plan& plan) {
    if (!plan.bounds.placement.is_possible)
        return "what has to be on the card, " +
               gb_text(static_cast<double>(plan.bounds.placement.fixed_bytes)) +
               ", is more than the budget";
    return "as it is: at best " + percent_text(plan.bounds.best_here()) + " of native";
}

std::string budget_sentence(const Plan& plan) {
    const double gb = std::ceil(static_cast<double>(plan.remedies.budget_bytes) / 1e8) / 10;
    const bool is_there = plan.remedies.budget_bytes <= plan.card.card.memory_bytes;
    return decimals(gb, 1) + " GB would reach " + percent_text(plan.wanted_fraction) +
           (is_there ? "" : "; this card has not so much");
}

// How the driver's mapping compares with the link, chunk by chunk.
std::string mapping_text(const Plan& plan) {
    const machine::Card& card = plan.card.card;
    const double copy_s = static_cast<double>(card.mapped_chunk_bytes) /
                          (card.to_device_bytes_per_s * slot_share(card, plan.host.host));
    const uint64_t mib = card.mapped_chunk_bytes >> 20;
    std::string text = decimals(card.remap_s() * 1e6, 0) + " us of the driver for each chunk of " +
                       std::to_string(mib) + " MiB, which takes " + decimals(copy_s * 1e6, 0) +
                       " us on the link";
    if (card.remap_s() > copy_s) text += ": larger chunks, or the driver is the limit";
    return text;
}

std::string sizes_text(const Plan& plan) {
    const machine::Placement& placement = plan.bounds.placement;
    const machine::Host& host = plan.host.host;
    std::string text;
    const uint64_t need =
        plan.load.state_bytes() + plan.load.activation_bytes + plan.card.card.context_bytes;
    text += row("needs", gb_text(static_cast<double>(need)) + ": " + parts_text(plan));
    if (!placement.is_possible) return text;
    text += row("stays on the card", resident_text(plan));
    if (placement.cold_bytes == 0) return text;
    std::string where = ", in the host's memory";
    if (!plan.bounds.memory_holds)
        where = ", of which " + gb_text(static_cast<double>(host.room_bytes())) +
                " fit the host's memory; the disk brings the rest";
    text += row("off the card", gb_text(static_cast<double>(placement.cold_bytes)) + where);
    std::string each = gb_text(placement.to_device_bytes);
    if (placement.to_host_bytes > 0) each += " in and " + gb_text(placement.to_host_bytes) + " out";
    text += row("over the link", each + " in each pass");
    return text + row("mapping", mapping_text(plan));
}

std::string bounds_text(const Plan& plan) {
    const machine::Bounds& bounds = plan.bounds;
    std::string text = bound_row("native", {bounds.native_s, 1.0});
    if (bounds.placement.is_possible && bounds.placement.cold_bytes == 0) return text;
    text += bound_row("streamed", bounds.stream);
    text += bound_row("cold part on CPU", bounds.compute);
    if (!bounds.memory_holds && bounds.placement.is_possible) {
        text += bound_row("streamed, disk", bounds.stream_here);
        text += bound_row("on CPU, disk", bounds.compute_here);
    }
    return text;
}

std::string verdict_text(const Plan& plan) {
    const std::string wanted = percent_text(plan.wanted_fraction) + " of native: ";
    if (plan.is_reachable_here()) return wanted + "possible without loss\n";
    if (plan.is_reachable()) return wanted + "not in this host; its memory is too small\n";
    return wanted + "impossible without loss, at this budget, for this work\n";
}

Json json_of(const Bound& bound) {
    if (bound.fraction == 0) return {};
    return {{"seconds", bound.seconds}, {"of_native", bound.fraction}};
}

Json or_null(double number) { return number > 0 ? Json(number) : Json(); }

Json sizes_json(const Plan& plan) {
    const machine::Load& load = plan.load;
    const machine::Placement& placement = plan.bounds.placement;
    return {{"weight_bytes", load.weight_bytes},
            {"expert_bytes", load.expert_bytes},
            {"kv_bytes", load.kv_bytes},
            {"gradient_bytes", load.gradient_bytes},
            {"optimizer_bytes", load.optimizer_bytes},
            {"checkpoint_bytes", load.checkpoint_bytes},
            {"activation_bytes", load.activation_bytes},
            {"fixed_bytes", placement.fixed_bytes},
            {"resident_bytes", placement.resident_bytes},
            {"cold_bytes", placement.cold_bytes},
            {"to_device_bytes", std::llround(placement.to_device_bytes)},
            {"to_host_bytes", std::llround(placement.to_host_bytes)}};
}

}  // namespace

std::vector<Recommendation> recommendations_of(const Plan& plan) {
    const machine::Remedies& help = plan.remedies;
    const std::string wanted = percent_text(plan.wanted_fraction);
    std::vector<Recommendation> list;
    if (help.do_not) list.push_back({"do not", do_not_sentence(plan)});
    if (help.keep_all) list.push_back({"keep", "everything fits; nothing has to move"});
    if (help.stream)
        list.push_back({"stream", "the link hides behind computing: up to " +
                                      percent_text(plan.bounds.stream_here.fraction) +
                                      " of native"});
    if (help.batch_more) list.push_back({"batch more", batch_sentence(plan)});
    if (help.compute_cold)
        list.push_back({"compute", "let the CPU compute the cold part: up to " +
                                       percent_text(plan.bounds.compute_here.fraction) +
                                       " of native, where streaming ends at " +
                                       percent_text(plan.bounds.stream_here.fraction)});
    if (help.quantise) list.push_back({"quantise", quantise_sentence(plan)});
    if (help.more_memory)
        list.push_back(
            {"more memory",
             "in the host, " + gb_text(static_cast<double>(plan.bounds.placement.cold_bytes)) +
                 " for what is off the card: up to " + percent_text(plan.bounds.stream.fraction)});
    if (help.budget_bytes > 0) list.push_back({"larger budget", budget_sentence(plan)});
    return list;
}

std::string text_of(const Plan& plan) {
    std::string text = plan.model.title + " in " + gb_text(static_cast<double>(plan.budget_bytes)) +
                       " of " + plan.card.title + "\n";
    text += work_text(plan.work) + "; " + plan.host.title + "\n\n";
    text += sizes_text(plan) + "\n";
    text += row("at best", "a pass takes   of native") + bounds_text(plan) + "\n";
    text += verdict_text(plan);
    for (const Recommendation& one : recommendations_of(plan)) text += row(one.name, one.sentence);
    return text;
}

std::string json_of(const Plan& plan) {
    Json json;
    json["schema"] = "ciuic-plan-1";
    json["model"] = plan.model.name;
    json["card"] = plan.card.name;
    json["host"] = plan.host.name;
    json["work"] = name_of(plan.work.kind);
    json["batch"] = plan.work.batch;
    json["context"] = plan.work.context;
    json["budget_bytes"] = plan.budget_bytes;
    json["wanted_of_native"] = plan.wanted_fraction;
    json["sizes"] = sizes_json(plan);
    json["is_possible"] = plan.bounds.placement.is_possible;
    json["native_seconds"] = plan.bounds.native_s;
    json["streamed"] = json_of(plan.bounds.stream);
    json["computed"] = json_of(plan.bounds.compute);
    json["host_memory_holds"] = plan.bounds.memory_holds;
    json["streamed_here"] = json_of(plan.bounds.stream_here);
    json["computed_here"] = json_of(plan.bounds.compute_here);
    json["is_reachable_without_loss"] = plan.is_reachable();
    json["is_reachable_here"] = plan.is_reachable_here();
    json["tokens_per_pass"] = or_null(plan.remedies.tokens_per_pass);
    json["resident_bits"] = or_null(plan.remedies.resident_bits);
    json["budget_needed_bytes"] =
        plan.remedies.budget_bytes > 0 ? Json(plan.remedies.budget_bytes) : Json();
    json["recommendations"] = Json::array();
    for (const Recommendation& one : recommendations_of(plan))
        json["recommendations"].push_back({{"do", one.name}, {"why", one.sentence}});
    return json.dump(2) + "\n";
}

}  // namespace ciuic::cli::plan
