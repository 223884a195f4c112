// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_command.hpp"

#include "base/size_text.hpp"
#include "cli/plan/catalogue.hpp"
#include "cli/plan/founding.hpp"
#include "cli/plan/plan.hpp"
#include "cli/plan/words.hpp"
#include "engine/move.hpp"
#include "limits.hpp"
#include "tests/sim/card/card_run.hpp"

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

namespace ciuic::sim {

namespace {

using cli::plan::Plan;
using cli::plan::Question;

// The engine's own thread hashes smaller parts itself, and here there are no bytes.
constexpr uint64_t chunk_bytes_min = 4 * MiB;
static_assert(chunk_bytes_min / read_slices_max > limits::hash_here_bytes_max);

struct CardArguments {
    Question question;
    CardQuestion run;
    bool founding = false;
};

bool take_number(std::string_view text, uint32_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

// One line, or nothing where all is well.
std::string take_option(std::string_view name, const std::string& value, CardArguments& arguments) {
    Question& question = arguments.question;
    const auto number = [&](uint32_t& target) {
        return take_number(value, target) ? std::string{}
                                          : std::string(name) + " " + value + ": not a number";
    };
    const auto size = [&](uint64_t& target) -> std::string {
        const auto bytes = parse_size(value);
        if (!bytes) return std::string(name) + " " + value + ": " + bytes.error().what;
        target = *bytes;
        return {};
    };
    if (name == "--card") return question.card = value, std::string{};
    if (name == "--host") return question.host = value, std::string{};
    if (name == "--model") return question.model = value, std::string{};
    if (name == "--work") return question.work = value, std::string{};
    if (name == "--batch") return number(question.batch);
    if (name == "--context") return number(question.context);
    if (name == "--passes") return number(arguments.run.passes);
    if (name == "--budget") return size(question.budget_bytes);
    if (name == "--chunk") {
        std::string wrong = size(arguments.run.chunk_bytes);
        const uint64_t bytes = arguments.run.chunk_bytes;
        if (wrong.empty() &&
            (!is_power_of_two(bytes) || bytes < chunk_bytes_min || bytes > limits::chunk_bytes_max))
            wrong = "--chunk " + value + ": a power of two from 4MiB to 64MiB is needed";
        return wrong;
    }
    return std::string(name) + ": no such option";
}

std::string parse(int argc, char** argv, CardArguments& arguments) {
    for (int index = 1; index < argc; ++index) {
        const std::string_view name = argv[index];
        if (name == "--founding") {
            arguments.founding = true;
        } else if (name == "--no-processor") {
            arguments.run.charges_processor = false;
        } else if (name == "--no-prefetch") {
            arguments.run.brings_ahead = false;
        } else if (index + 1 == argc) {
            return std::string(name) + ": no such option, or its value is missing";
        } else if (std::string wrong = take_option(name, argv[++index], arguments);
                   !wrong.empty()) {
            return wrong;
        }
    }
    const Question& question = arguments.question;
    if (!arguments.founding && (question.model.empty() || question.budget_bytes == 0))
        return "--card: either --founding, or --model and --budget are needed";
    return {};
}

// Nothing where it does not run at all: the answer of the plan says so.
bool run(const Plan& plan, CardQuestion question, CardAnswer& answer) {
    if (!plan.bounds.placement.is_possible) return false;
    question.model = plan.model.shape;
    question.load = plan.load;
    question.card = plan.card.card;
    question.host = plan.host.host;
    question.bounds = plan.bounds;
    answer = run_on_card(question);
    return true;
}

void print_answer(const Plan& plan, const CardAnswer& answer) {
    using namespace cli::plan;
    const SessionStats& stats = answer.stats;
    std::printf("%s, %s on %s in %s\n", plan.model.title.c_str(), name_of(plan.work.kind),
                plan.card.title.c_str(), plan.host.title.c_str());
    std::printf("  frames %u of %u chunks; a pass: native %s, here %s, of it stalled %s\n",
                answer.frames, answer.chunks, seconds_text(plan.bounds.native_s).c_str(),
                seconds_text(answer.pass_s).c_str(), seconds_text(answer.stalled_s).c_str());
    std::printf("  fraction of native %s; bound of streaming here %s; of the bound %.3f\n",
                percent_text(answer.fraction).c_str(),
                percent_text(plan.bounds.stream_here.fraction).c_str(), answer.of_bound);
    std::printf(
        "  a pass: in %s (bound %s), out %s (bound %s), disk %s, engine %s\n",
        gb_text(answer.in_bytes).c_str(), gb_text(plan.bounds.placement.to_device_bytes).c_str(),
        gb_text(answer.out_bytes).c_str(), gb_text(plan.bounds.placement.to_host_bytes).c_str(),
        gb_text(answer.disk_bytes).c_str(), seconds_text(answer.engine_s).c_str());
    std::printf("  all: fetches %lu, ahead %lu (used %lu, wasted %lu), evictions %lu (clean %lu)\n",
                stats.fetches, stats.prefetches, stats.prefetches_used, stats.prefetches_wasted,
                stats.evictions, stats.evictions_clean);
}

void print_founding_row(const cli::plan::FoundingRow& row, const CardQuestion& run_as) {
    using namespace cli::plan;
    Plan plan;
    CardAnswer answer;
    if (!make_plan(row.question, plan).empty()) return;  // the budget is more than the card has
    std::printf("| %s | %s | ", row.model.c_str(), row.work.c_str());
    if (!run(plan, run_as, answer)) {
        std::printf("- | - | - | - | - | %s | %s |\n", percent_text(plan.wanted_fraction).c_str(),
                    verdict_of(plan).c_str());
        return;
    }
    std::printf("%s | %s | %s | %.3f | %s | %s | %s |\n",
                seconds_text(plan.bounds.native_s).c_str(), percent_text(answer.fraction).c_str(),
                percent_text(plan.bounds.stream_here.fraction).c_str(), answer.of_bound,
                percent_text(plan.bounds.compute_here.fraction).c_str(),
                percent_text(plan.wanted_fraction).c_str(), verdict_of(plan).c_str());
    std::fflush(stdout);
}

// One line, or nothing where all is well.
std::string print_founding(const CardArguments& arguments) {
    using namespace cli::plan;
    const Question& question = arguments.question;
    const bool all = question.card == "all";
    for (const std::string& name : all ? names_in("cards") : std::vector{question.card}) {
        CardFile card;
        HostFile host;
        if (std::string wrong = find_card(name, card); !wrong.empty()) return wrong;
        const std::string& in = question.host.empty() ? card.usual_host : question.host;
        if (std::string wrong = find_host(in, host); !wrong.empty()) return wrong;
        std::printf("**%s**; %s\n\n", card.title.c_str(), host.title.c_str());
        std::printf("| model | work | native pass | simulated | bound of streaming | of it | "
                    "cold part on CPU | wanted | without loss |\n"
                    "|---|---|--:|--:|--:|--:|--:|--:|---|\n");
        for (const FoundingRow& row : founding_rows(name, question.host))
            print_founding_row(row, arguments.run);
        std::printf("\n");
    }
    return {};
}

}  // namespace

int card_command(int argc, char** argv) {
    CardArguments arguments;
    std::string wrong = parse(argc, argv, arguments);
    if (wrong.empty() && arguments.founding) {
        wrong = print_founding(arguments);
        if (wrong.empty()) return 0;
    }
    Plan plan;
    if (wrong.empty()) wrong = make_plan(arguments.question, plan);
    CardAnswer answer;
    if (wrong.empty() && !run(plan, arguments.run, answer))
        wrong = "the budget does not hold what has to be on the card";
    if (!wrong.empty()) {
        std::fprintf(stderr, "ciuic-sim: %s\n", wrong.c_str());
        return 2;
    }
    print_answer(plan, answer);
    return 0;
}

}  // namespace ciuic::sim
