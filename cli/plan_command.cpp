// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_command.hpp"

#include "base/size_text.hpp"
#include "cli/plan/catalogue.hpp"
#include "cli/plan/founding.hpp"
#include "cli/plan/print.hpp"
#include "cli/run.hpp"

#include <cstdio>

namespace ciuic::cli {
namespace {

// More than any shape that this can be right about; keeps sums in range.
constexpr uint32_t batch_max = 1 << 20;
constexpr uint32_t context_max = 1 << 24;

int refuse(const std::string& why) {
    std::fprintf(stderr, "ciuic: %s\n", why.c_str());
    return exit_refused;
}

int print_founding(const PlanOptions& options) {
    const std::vector<std::string> cards =
        options.card.empty() ? plan::names_in("cards") : std::vector<std::string>{options.card};
    std::string text;
    for (const std::string& card : cards) {
        if (!text.empty()) text += "\n";
        const std::string wrong = plan::founding_table(card, options.host, text);
        if (!wrong.empty()) return refuse(wrong);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
}

std::string read_question(const PlanOptions& options, plan::Question& question) {
    if (options.model.empty() || options.card.empty() || options.budget.empty())
        return "plan needs --model, --budget and --card; `ciuic plan --list` names models and "
               "cards";
    const Result<uint64_t> budget = parse_size(options.budget);
    if (!budget.has_value()) return "--budget " + options.budget + ": " + budget.error().what;
    if (*budget == 0) return "--budget " + options.budget + ": there is nothing to plan with";
    if (options.batch < 1 || options.batch > batch_max)
        return "--batch: give 1 to " + std::to_string(batch_max);
    if (options.context < 1 || options.context > context_max)
        return "--context: give 1 to " + std::to_string(context_max) + " tokens";
    if (!(options.wanted_percent > 0 && options.wanted_percent <= 100))
        return "--wanted: give a percentage of native, above 0 and up to 100";
    question = {options.model, options.card,  options.host,    options.work,
                *budget,       options.batch, options.context, options.wanted_percent / 100};
    return {};
}

}  // namespace

int run_plan(const PlanOptions& options) {
    if (options.list) {
        std::fputs(plan::list_text().c_str(), stdout);
        return 0;
    }
    if (options.founding) return print_founding(options);
    plan::Question question;
    if (std::string wrong = read_question(options, question); !wrong.empty()) return refuse(wrong);
    plan::Plan plan;
    if (std::string wrong = plan::make_plan(question, plan); !wrong.empty()) return refuse(wrong);
    std::fputs((options.json ? plan::json_of(plan) : plan::text_of(plan)).c_str(), stdout);
    return 0;
}

}  // namespace ciuic::cli
