// SPDX-License-Identifier: Apache-2.0
#include "machine/placement.hpp"

#include "tests/unit/machine/machines.hpp"

#include <gtest/gtest.h>

namespace ciuic::machine::test {
namespace {

// One of everything, in units that are seen in sums.
Load training_load() {
    Load load;
    load.kind = WorkKind::training;
    load.weight_bytes = 100;
    load.gradient_bytes = 100;
    load.optimizer_bytes = 600;
    load.checkpoint_bytes = 40;
    return load;
}

Card bare_card() {
    Card card = rtx_4090();
    card.context_bytes = card.staging_bytes = 0;
    return card;
}

// Goal: what fits stays, and takes no staging. Method: a budget exactly as large, one byte less.
TEST(Placement, StagingIsTakenWhereSomethingStreams) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 1, 2048});
    const uint64_t need = gb / 2 + load.activation_bytes + load.state_bytes();
    const Placement whole = place(load, rtx_4090(), need);
    EXPECT_EQ(whole.cold_bytes, 0u);
    EXPECT_EQ(whole.to_device_bytes, 0);
    EXPECT_EQ(whole.fixed_bytes, gb / 2 + load.activation_bytes);
    const Placement less = place(load, rtx_4090(), need - 1);
    EXPECT_EQ(less.cold_bytes, gb / 4 + 1);
    EXPECT_EQ(less.to_device_bytes, static_cast<double>(gb / 4 + 1));
    EXPECT_EQ(less.resident_bytes + less.cold_bytes, load.state_bytes());
}

// Goal: the research notes' 9.5, 18.6 and 53.2 GB for each pass at batch 1.
TEST(Placement, DecodeStreamsWhatTheNotesSay) {
    const Work work = {WorkKind::decode, 1, 2048};
    const auto cold_gb = [&](const ModelShape& model, uint64_t budget) {
        return place(load_of(model, work), rtx_4090(), budget).to_device_bytes / 1e9;
    };
    EXPECT_NEAR(cold_gb(llama_7b(), 6 * gb), 9.5, 0.05);
    EXPECT_NEAR(cold_gb(llama_13b(), 10 * gb), 18.6, 0.05);
    EXPECT_NEAR(cold_gb(llama_30b(), 16 * gb), 53.2, 0.05);
}

// Goal: no room for what has to be there is impossible, not negative. Method: a tiny budget.
TEST(Placement, SaysWhereNothingRuns) {
    const Load load = load_of(llama_7b(), {WorkKind::decode, 1, 2048});
    const uint64_t least = gb * 3 / 4 + load.activation_bytes;
    EXPECT_TRUE(place(load, rtx_4090(), least).is_possible);
    const Placement none = place(load, rtx_4090(), least - 1);
    EXPECT_FALSE(none.is_possible);
    EXPECT_EQ(none.room_bytes, 0u);
    EXPECT_EQ(none.cold_bytes, load.state_bytes());
}

// Goal: keys of a prefill stay while there is room, else go out once; weights come in.
TEST(Placement, PrefillKeepsItsKeys) {
    Load load;
    load.kind = WorkKind::prefill;
    load.weight_bytes = 100;
    load.kv_bytes = 30;
    Placement placement = place(load, bare_card(), 50);
    EXPECT_EQ(placement.to_device_bytes, 80);
    EXPECT_EQ(placement.to_host_bytes, 0);
    placement = place(load, bare_card(), 20);
    EXPECT_EQ(placement.to_device_bytes, 100);
    EXPECT_EQ(placement.to_host_bytes, 10);
}

// Goal: experts off the card cost by how many are touched. Method: half of them off, a tenth used.
TEST(Placement, ColdExpertsComeWhereTouched) {
    Load load;
    load.weight_bytes = 100;
    load.expert_bytes = 1000;
    load.expert_share = 0.1;
    load.kv_bytes = 50;
    EXPECT_EQ(place(load, bare_card(), 650).to_device_bytes, 50);
    EXPECT_EQ(place(load, bare_card(), 650).cold_bytes, 500u);
    EXPECT_EQ(place(load, bare_card(), 120).to_device_bytes, 30 + 100);
}

// Goal: training's least traffic, by the turns in the header. Method: budgets around each size.
TEST(Placement, TrainingKeepsWhatTurnsRound) {
    const Load load = training_load();
    // Nothing kept: weights twice, gradients, state and checkpoints once; all of it out once.
    Placement placement = place(load, bare_card(), 0);
    EXPECT_EQ(placement.to_device_bytes, 200 + 100 + 600 + 40);
    EXPECT_EQ(placement.to_host_bytes, 100 + 100 + 600 + 40);
    // 10 at each of three turns; forward to backward saves reading alone.
    placement = place(load, bare_card(), 10);
    EXPECT_EQ(placement.to_device_bytes, 940 - 30);
    EXPECT_EQ(placement.to_host_bytes, 840 - 20);
    // Weights and gradients stay at every turn; 20 of the checkpoints, too.
    placement = place(load, bare_card(), 120);
    EXPECT_EQ(placement.to_device_bytes, 940 - 100 - 100 - 120);
    EXPECT_EQ(placement.to_host_bytes, 840 - 100 - 100 - 20);
    // The rest is for optimizer state.
    placement = place(load, bare_card(), 440);
    EXPECT_EQ(placement.to_device_bytes, 300);
    EXPECT_EQ(placement.to_host_bytes, 300);
    EXPECT_EQ(place(load, bare_card(), 840).to_device_bytes, 0);
}

}  // namespace
}  // namespace ciuic::machine::test
