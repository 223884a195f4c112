// SPDX-License-Identifier: Apache-2.0
#include "machine/work.hpp"

#include "tests/unit/machine/machines.hpp"

#include <gtest/gtest.h>

namespace ciuic::machine::test {
namespace {

constexpr double parameters_7b = 6'738'415'616;

TEST(Work, CountsTokens) {
    EXPECT_EQ(tokens_of({WorkKind::decode, 32, 512}), 32u);
    EXPECT_EQ(tokens_of({WorkKind::prefill, 8, 2048}), 16384u);
    EXPECT_EQ(tokens_of({WorkKind::training, 4, 2048}), 8192u);
}

// Goal: a decoding pass is what the formula in the header says. Method: 7B by hand.
TEST(Work, DecodeReadsWeightsAndAllKeys) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 32, 512});
    EXPECT_EQ(load.weight_bytes, 13'476'831'232u);
    EXPECT_EQ(load.expert_bytes, 0u);
    EXPECT_EQ(load.kv_bytes, 32ull * 512 * 524'288);
    EXPECT_DOUBLE_EQ(load.flop, 2 * parameters_7b * 32 + 4.0 * 32 * 512 * 32 * 128 * 32);
    // Two of 4096 and the gated layer's two of 11008, two bytes each.
    EXPECT_EQ(load.activation_bytes, 150'000'000u + 32 * (2 * 4096 + 2 * 11008) * 2);
    EXPECT_EQ(load.state_bytes(), load.weight_bytes + load.kv_bytes);
}

TEST(Work, PrefillComputesHalfOfTheScores) {
    const Load load = load_of(llama_7b(), {WorkKind::prefill, 2, 1024});
    EXPECT_DOUBLE_EQ(load.flop, 2 * parameters_7b * 2048 + 2 * 2.0 * 1024 * 1024 * 32 * 128 * 32);
    EXPECT_EQ(load.kv_bytes, 2048ull * 524'288);
}

// Goal: training holds 16 bytes for each parameter and four forward passes' work. Method: by hand.
TEST(Work, TrainingHoldsStateAndCheckpoints) {
    const Load forward = load_of(llama_7b(), {WorkKind::prefill, 4, 2048});
    const Load load = load_of(llama_7b(), {WorkKind::training, 4, 2048});
    EXPECT_DOUBLE_EQ(load.flop, 4 * forward.flop);
    EXPECT_EQ(load.kv_bytes, 0u);
    EXPECT_EQ(load.gradient_bytes, load.weight_bytes);
    EXPECT_EQ(load.weight_bytes + load.gradient_bytes + load.optimizer_bytes, 16u * 6'738'415'616u);
    EXPECT_EQ(load.checkpoint_bytes, 32u * 8192 * 4096 * 2);
    EXPECT_EQ(load.activation_bytes, 150'000'000u + 34u * 8192 * 4096 + 8192u * 32000 * 4);
}

// Goal: a token touches 6 of 64 experts, many touch all. Method: one, two and many tokens.
TEST(Work, MoreTokensTouchMoreExperts) {
    const ModelShape mixture = deepseek_moe_16b();
    const double idle = 58.0 / 64;
    EXPECT_DOUBLE_EQ(load_of(mixture, {WorkKind::decode, 1, 128}).expert_share, 6.0 / 64);
    EXPECT_DOUBLE_EQ(load_of(mixture, {WorkKind::decode, 2, 128}).expert_share, 1 - idle * idle);
    EXPECT_NEAR(load_of(mixture, {WorkKind::prefill, 1, 2048}).expert_share, 1.0, 1e-9);
    const Load load = load_of(mixture, {WorkKind::decode, 1, 128});
    EXPECT_EQ(load.expert_bytes, 2 * routed_parameters(mixture));
    EXPECT_EQ(load.weight_bytes, 2 * (parameters(mixture) - routed_parameters(mixture)));
    // The widest of what a layer makes: 2 x (6 + 2) x 1408 by experts, against 2 x 10944 densely.
    EXPECT_EQ(load.activation_bytes, 150'000'000u + (2 * 2048 + 2 * 8 * 1408) * 2);
}

TEST(Work, AStepNeedsTheDenoiser) {
    ModelShape model = sdxl();
    model.diffusion.text_encoder_parameters = 817'000'000;
    const Load load = load_of(model, {WorkKind::denoise, 2, 0, 0.45});
    EXPECT_EQ(load.weight_bytes, 2ull * 2'567'460'000u);
    EXPECT_DOUBLE_EQ(load.flop, 2 * 11.955e12);
    EXPECT_DOUBLE_EQ(load.step_utilisation, 0.45);
    EXPECT_EQ(load.activation_bytes, 2'400'000'000u);
    EXPECT_EQ(load.kv_bytes, 0u);
}

}  // namespace
}  // namespace ciuic::machine::test
