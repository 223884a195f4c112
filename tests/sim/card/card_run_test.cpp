// SPDX-License-Identifier: Apache-2.0
//
// Goal: on a described card the engine comes within 3 % of the bound of streaming, because it
// brings ahead what an order needs. Method: one row of each kind of work, without the processor's
// time; the same with nothing brought ahead; and a wrong card, model, size or option in one line.
#include "tests/sim/card/card_run.hpp"

#include "cli/plan/plan.hpp"
#include "tests/sim/card/card_command.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ciuic::sim {
namespace {

constexpr uint64_t gb = 1'000'000'000;

CardQuestion question_of(const cli::plan::Question& asked) {
    cli::plan::Plan plan;
    EXPECT_EQ(make_plan(asked, plan), "");
    CardQuestion question;
    question.model = plan.model.shape;
    question.load = plan.load;
    question.card = plan.card.card;
    question.host = plan.host.host;
    question.bounds = plan.bounds;
    question.charges_processor = false;
    return question;
}

struct Row {
    const char* name;
    cli::plan::Question asked;
    bool needs_disk = false;
};

class CardRows : public ::testing::TestWithParam<Row> {};

TEST_P(CardRows, AreNearTheirBound) {
    CardQuestion question = question_of(GetParam().asked);
    const CardAnswer answer = run_on_card(question);
    EXPECT_GE(answer.of_bound, 0.97);
    EXPECT_LE(answer.fraction, 1.0);
    EXPECT_GT(answer.stats.prefetches_used, answer.stats.fetches / 4);
    EXPECT_LE(answer.stats.prefetches_wasted, answer.stats.prefetches / 50);
    EXPECT_EQ(answer.stats.chunks_lost, 0u);
    EXPECT_EQ(answer.disk_bytes > 0, GetParam().needs_disk);

    question.brings_ahead = false;
    const CardAnswer without = run_on_card(question);
    EXPECT_EQ(without.stats.prefetches, 0u);
    EXPECT_LT(without.of_bound, answer.of_bound);
}

INSTANTIATE_TEST_SUITE_P(
    Founding, CardRows,
    ::testing::Values(
        Row{"decode", {"llama-7b", "rtx-4090", "", "decode", 6 * gb, 1, 2048, 0.9}},
        Row{"prefill", {"llama-7b", "rtx-4090", "", "prefill", 6 * gb, 8, 2048, 0.9}},
        Row{"training", {"llama-7b", "h100-sxm", "", "training", 6 * gb, 4, 2048, 0.9}},
        Row{"denoise", {"dit-8b", "rtx-4090", "", "denoise", 8 * gb, 1, 0, 0.9}},
        Row{"disk", {"llama-30b", "rtx-4090", "", "decode", 16 * gb, 1, 2048, 0.9}, true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(CardRun, OneQuestionHasOneAnswer) {
    const CardQuestion question =
        question_of({"llama-7b", "rtx-3060", "", "decode", 6 * gb, 1, 2048, 0.9});
    EXPECT_EQ(run_on_card(question).pass_s, run_on_card(question).pass_s);
}

TEST(CardRun, WhatFitsTakesItsNativeTime) {
    const CardAnswer answer =
        run_on_card(question_of({"sd-1.5", "rtx-3060", "", "denoise", 4 * gb, 1, 0, 0.9}));
    EXPECT_GE(answer.fraction, 0.999);
    EXPECT_EQ(answer.in_bytes, 0);
}

TEST(CardCommand, SaysInOneLineWhatIsWrong) {
    const std::vector<std::vector<const char*>> wrong = {
        {"--card", "rtx-0000", "--founding"},
        {"--card", "rtx-4090", "--model", "none", "--budget", "6GiB"},
        {"--card", "rtx-4090", "--model", "llama-7b"},
        {"--card", "rtx-4090", "--model", "llama-7b", "--budget", "much"},
        {"--card", "rtx-4090", "--model", "llama-7b", "--budget", "100GiB"},
        {"--card", "rtx-4090", "--model", "llama-7b", "--budget", "100MiB"},
        {"--card", "rtx-4090", "--model", "llama-7b", "--budget", "6GiB", "--chunk", "2MiB"},
        {"--card", "rtx-4090", "--model", "llama-7b", "--budget", "6GiB", "--passes", "0"},
        {"--card", "rtx-4090", "--model", "sdxl", "--budget", "6GiB", "--work", "decode"},
        {"--card", "rtx-4090", "--nothing", "x"},
        {"--card"}};
    for (const std::vector<const char*>& options : wrong) {
        std::vector<std::string> words{"ciuic-sim"};
        words.insert(words.end(), options.begin(), options.end());
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        ::testing::internal::CaptureStderr();
        EXPECT_EQ(card_command(static_cast<int>(arguments.size()), arguments.data()), 2);
        const std::string said = ::testing::internal::GetCapturedStderr();
        EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
        EXPECT_TRUE(said.starts_with("ciuic-sim: ")) << said;
    }
}

}  // namespace
}  // namespace ciuic::sim
