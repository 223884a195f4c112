// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/plan.hpp"

#include <gtest/gtest.h>

namespace ciuic::cli::plan::test {
namespace {

constexpr uint64_t gb = 1'000'000'000;

std::string complaint_of(const Question& question) {
    Plan plan;
    return make_plan(question, plan);
}

// Goal: a question that has no answer is one clear line. Method: one of each kind.
TEST(Plan, SaysWhatIsWrong) {
    EXPECT_EQ(complaint_of({"gpt-5", "rtx-4090", "", "", gb}).rfind("no model is called", 0), 0u);
    EXPECT_EQ(complaint_of({"sdxl", "tpu", "", "", gb}).rfind("no card is called", 0), 0u);
    EXPECT_EQ(complaint_of({"sdxl", "rtx-4090", "pi", "", gb}).rfind("no host is called", 0), 0u);
    EXPECT_EQ(complaint_of({"sdxl", "rtx-4090", "", "decode", gb}),
              "--work decode: sdxl is a diffusion model; its work is denoise");
    EXPECT_EQ(complaint_of({"llama-7b", "rtx-4090", "", "denoise", gb}),
              "--work denoise: llama-7b is a language model; its work is decode, prefill or "
              "training");
    EXPECT_EQ(complaint_of({"llama-7b", "rtx-4060", "", "", 16ull << 30}),
              "the budget, 16 GiB, is more than the card has, 8 GiB");
}

// Goal: what is left out has its usual meaning. Method: the plan's parts.
TEST(Plan, FillsInTheUsual) {
    Plan plan;
    ASSERT_EQ(make_plan({"sdxl", "h100-sxm", "", "", 6 * gb}, plan), "");
    EXPECT_EQ(plan.work.kind, machine::WorkKind::denoise);
    EXPECT_EQ(plan.work.context, 0u);
    EXPECT_DOUBLE_EQ(plan.work.step_utilisation, 0.20);
    EXPECT_EQ(plan.host.name, "server");
    Plan decode;
    ASSERT_EQ(make_plan({"llama-7b", "rtx-4090", "desktop-ddr4-16g", "", 6 * gb}, decode), "");
    EXPECT_EQ(decode.work.kind, machine::WorkKind::decode);
    EXPECT_EQ(decode.work.step_utilisation, 0);
    EXPECT_EQ(decode.host.name, "desktop-ddr4-16g");
}

// Goal: reachable at all and reachable here are told apart. Method: a prefill that hides the stream
// from memory, in a host with memory and in one without.
TEST(Plan, TellsTheLinkFromTheHost) {
    Plan roomy;
    const Question question{"llama-30b", "rtx-4090", "server", "prefill", 16 * gb, 8, 2048, 0.8};
    ASSERT_EQ(make_plan(question, roomy), "");
    EXPECT_TRUE(roomy.is_reachable() && roomy.is_reachable_here());
    Plan small;
    Question poor = question;
    poor.host = "desktop-ddr4-16g";
    ASSERT_EQ(make_plan(poor, small), "");
    EXPECT_TRUE(small.is_reachable());
    EXPECT_FALSE(small.is_reachable_here());
}

}  // namespace
}  // namespace ciuic::cli::plan::test
