// SPDX-License-Identifier: Apache-2.0
#include "machine/bounds.hpp"

#include "tests/unit/machine/machines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace ciuic::machine::test {
namespace {

struct Row {
    const char* name;
    ModelShape model;
    uint64_t budget_gb;
    Work work;
    double percent[4];  // RTX 3090, RTX 4090, A100, H100
    double tolerance;
};

std::vector<Card> four_cards() { return {rtx_3090(), rtx_4090(), a100(), h100()}; }

void expect_rows(const std::vector<Row>& rows) {
    const std::vector<Card> cards = four_cards();
    for (const Row& row : rows)
        for (size_t card = 0; card < cards.size(); ++card) {
            SCOPED_TRACE(std::string(row.name) + ", card " + std::to_string(card));
            const Bounds bounds = bounds_of(load_of(row.model, row.work), cards[card], roomy_host(),
                                            row.budget_gb * gb);
            EXPECT_NEAR(bounds.stream.fraction * 100, row.percent[card], row.tolerance);
        }
}

// Goal: the founding rows of the research notes, section 2.2, come out of these formulas. Method:
// every cell; they are printed with one digit, and two of them (7B at batch 128) were rounded down.
TEST(Bounds, FoundingRowsOfDecoding) {
    const Work one = {WorkKind::decode, 1, 2048};
    const Work some = {WorkKind::decode, 32, 512};
    const Work many = {WorkKind::decode, 128, 512};
    expect_rows({{"7B in 6", llama_7b(), 6, one, {5.1, 4.8, 2.4, 3.2}, 0.06},
                 {"13B in 10", llama_13b(), 10, one, {5.0, 4.6, 2.3, 3.1}, 0.06},
                 {"30B in 16", llama_30b(), 16, one, {4.3, 4.0, 2.0, 2.6}, 0.06},
                 {"7B in 6, 32", llama_7b(), 6, some, {4.3, 4.0, 2.0, 2.7}, 0.06},
                 {"13B in 10, 32", llama_13b(), 10, some, {4.3, 4.0, 2.0, 2.7}, 0.06},
                 {"30B in 16, 32", llama_30b(), 16, some, {4.0, 3.7, 1.8, 2.5}, 0.06},
                 {"7B in 6, 128", llama_7b(), 6, many, {3.7, 3.4, 1.7, 2.3}, 0.08},
                 {"13B in 10, 128", llama_13b(), 10, many, {3.8, 3.5, 1.7, 2.3}, 0.06},
                 {"30B in 16, 128", llama_30b(), 16, many, {3.7, 3.4, 1.7, 2.2}, 0.06}});
}

// Goal: the same for prefill. Method: every cell, to one percent: the notes do not say how many
// bytes of activations they leave.
TEST(Bounds, FoundingRowsOfPrefill) {
    const Work one = {WorkKind::prefill, 1, 2048};
    const Work eight = {WorkKind::prefill, 8, 2048};
    expect_rows({{"7B in 6", llama_7b(), 6, one, {100, 75, 40, 33}, 1.0},
                 {"13B in 10", llama_13b(), 10, one, {100, 74, 39, 33}, 0.7},
                 {"30B in 16", llama_30b(), 16, one, {100, 65, 34, 28}, 0.7},
                 {"7B in 6, 8", llama_7b(), 6, eight, {100, 100, 100, 100}, 0.01},
                 {"13B in 10, 8", llama_13b(), 10, eight, {100, 100, 100, 100}, 0.01},
                 {"30B in 16, 8", llama_30b(), 16, eight, {100, 100, 100, 100}, 0.01}});
}

// Goal: section 2.3's denoising steps: time of a step, bytes, and the bound. Method: by its numbers
// of utilisation; in lesser slots, too.
TEST(Bounds, FoundingRowsOfDiffusion) {
    struct Step {
        ModelShape model;
        uint64_t budget_gb;
        double utilisation[4];
        double step_ms[4];
        double cold_gb;
    };
    const std::vector<Step> steps = {
        {sd_15(), 3, {0.24, 0.22, 0.15, 0.07}, {80, 37, 29, 20}, 0},
        {sdxl(), 6, {0.45, 0.45, 0.30, 0.20}, {374, 161, 128, 60}, 1.08},
        {dit_8b(), 8, {0.55, 0.50, 0.50, 0.45}, {2200, 1040, 550, 193}, 10.35}};
    const std::vector<Card> cards = four_cards();
    for (const Step& step : steps)
        for (size_t card = 0; card < cards.size(); ++card) {
            const Load load =
                load_of(step.model, {WorkKind::denoise, 1, 0, step.utilisation[card]});
            const Bounds bounds = bounds_of(load, cards[card], roomy_host(), step.budget_gb * gb);
            EXPECT_NEAR(bounds.native_s * 1e3, step.step_ms[card],
                        std::max(0.5, step.step_ms[card] * 0.01));
            EXPECT_NEAR(bounds.placement.to_device_bytes / 1e9, step.cold_gb, 0.01);
            EXPECT_NEAR(bounds.stream.fraction, 1.0, 0.005);
        }
    Host host = roomy_host();
    host.slot.generation = 4;
    EXPECT_NEAR(bounds_of(load_of(dit_8b(), {WorkKind::denoise, 1, 0, 0.45}), h100(), host, 8 * gb)
                    .stream.fraction,
                0.47, 0.005);
    host.slot.generation = 3;
    EXPECT_NEAR(bounds_of(load_of(sdxl(), {WorkKind::denoise, 1, 0, 0.20}), h100(), host, 6 * gb)
                    .stream.fraction,
                0.69, 0.005);
}

// Goal: the processor's share, section 2.2: 13, 41 and 60 % with 70, 250 and 400 GB/s.
TEST(Bounds, TheProcessorComputesTheColdPart) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 1, 2048});
    for (const auto& [rate, percent] : {std::pair{70.0, 13.0}, {250.0, 41.0}, {400.0, 60.0}}) {
        Host host = roomy_host(rate);
        host.flop_per_s = 1e15;
        EXPECT_NEAR(bounds_of(load, rtx_4090(), host, 6 * gb).compute.fraction * 100, percent, 0.5);
    }
    // By operations, where those are what it lacks: 13.5 GFLOP, 65 % of them at 10 GFLOP/s.
    Host slow = roomy_host(400);
    slow.flop_per_s = 1e10;
    EXPECT_NEAR(bounds_of(load, rtx_4090(), slow, 6 * gb).compute.seconds, 0.95, 0.05);
}

// Goal: what memory does not hold comes at the disk's rate, and no more. Method: room for half.
TEST(Bounds, TheDiskBringsWhatMemoryLacks) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 1, 2048});
    Host host = roomy_host();
    Bounds bounds = bounds_of(load, rtx_4090(), host, 6 * gb);
    EXPECT_TRUE(bounds.memory_holds);
    EXPECT_EQ(bounds.stream_here.seconds, bounds.stream.seconds);
    host.memory_bytes = host.reserved_bytes + bounds.placement.cold_bytes / 2;
    const double fraction = bounds.stream.fraction;
    bounds = bounds_of(load, rtx_4090(), host, 6 * gb);
    EXPECT_FALSE(bounds.memory_holds);
    EXPECT_EQ(bounds.stream.fraction, fraction);
    EXPECT_NEAR(bounds.stream_here.seconds, bounds.placement.to_device_bytes / 2 / 7e9, 1e-6);
    EXPECT_NEAR(bounds.compute_here.seconds, bounds.stream_here.seconds, 1e-6);
    EXPECT_EQ(bounds.best_here(), bounds.compute_here.fraction);
}

// Goal: a training step by hand: 7B in 6 GB, 4 x 2048 tokens on an RTX 4090.
TEST(Bounds, ATrainingStep) {
    const Load load = load_of(llama_7b(), {WorkKind::training, 4, 2048});
    const Bounds bounds = bounds_of(load, rtx_4090(), roomy_host(), 6 * gb);
    // 4 x (2 x 6.74 G x 8192 + 4 x 2 x 2048^2 x 4096 x 32) / 99 T = 4.64 s, then 28 bytes for each
    // parameter at 806 GB/s = 0.23 s.
    EXPECT_NEAR(bounds.native_s, 4.64 + 0.234, 0.02);
    // 15 + 2 + 1 bytes for each parameter and the checkpoints, less three turns of what is left.
    const double room = 6e9 - 0.75e9 - static_cast<double>(load.activation_bytes);
    EXPECT_NEAR(bounds.placement.to_device_bytes, 18 * 6.738e9 + 2.147e9 - 3 * room, 1e7);
    // Gradients and optimizer state, 14 bytes for each parameter, cannot come before the backward
    // pass has ended but for what the card has room for.
    EXPECT_NEAR(bounds.stream.seconds, 4.64 + (14 * 6.738e9 - room) / 25e9, 0.02);
    EXPECT_GT(bounds.stream.seconds, bounds.placement.to_device_bytes / 25e9);
    // The processor's optimizer: 28 bytes for each parameter at 70 GB/s, beside the card.
    EXPECT_NEAR(bounds.compute.seconds, std::max(4.64, 28 * 6.738e9 / 70e9), 0.02);
}

// Goal: what training keeps from step to step goes through the disk where nothing else has room.
// Method: a host with room for 50 GB; weights, gradients and optimizer state are 16 bytes for each
// parameter.
TEST(Bounds, TrainingFromTheDisk) {
    const Load load = load_of(llama_7b(), {WorkKind::training, 4, 2048});
    Host host = roomy_host();
    host.memory_bytes = host.reserved_bytes + 50 * gb;
    const Bounds bounds = bounds_of(load, rtx_4090(), host, 6 * gb);
    const double bytes = 16 * 6.738e9 - 50e9 - static_cast<double>(bounds.placement.resident_bytes);
    EXPECT_FALSE(bounds.memory_holds);
    EXPECT_NEAR(bounds.stream_here.seconds, bytes / 1e9, 0.05);  // writing, at 1 GB/s
    EXPECT_EQ(bounds.compute_here.seconds, bounds.stream_here.seconds);
    host.memory_bytes = host.reserved_bytes + 106 * gb;  // checkpoints do not fit beside it
    const Bounds enough = bounds_of(load, rtx_4090(), host, 6 * gb);
    EXPECT_EQ(enough.stream_here.seconds, enough.stream.seconds);
}

// Goal: nothing off the card costs nothing, and what cannot run has no fraction.
TEST(Bounds, AtTheEnds) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 1, 2048});
    const Bounds whole = bounds_of(load, rtx_4090(), roomy_host(), 16 * gb);
    EXPECT_EQ(whole.stream.fraction, 1.0);
    EXPECT_EQ(whole.compute_here.fraction, 1.0);
    const Bounds none = bounds_of(load, rtx_4090(), roomy_host(), gb / 2);
    EXPECT_FALSE(none.placement.is_possible);
    EXPECT_EQ(none.best_here(), 0);
    EXPECT_GT(none.native_s, 0);
}

}  // namespace
}  // namespace ciuic::machine::test
