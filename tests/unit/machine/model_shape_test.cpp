// SPDX-License-Identifier: Apache-2.0
#include "machine/model_shape.hpp"

#include "tests/unit/machine/machines.hpp"

#include <gtest/gtest.h>

namespace ciuic::machine::test {
namespace {

// Goal: shapes give the published sizes. Method: the parameter counts of the checkpoints, and for
// the mixture the paper's 16.4 B and 2.8 B at work.
TEST(ModelShape, CountsWhatWasPublished) {
    EXPECT_EQ(parameters(llama_7b()), 6'738'415'616u);
    EXPECT_EQ(parameters(llama_13b()), 13'015'864'320u);
    EXPECT_EQ(parameters(llama_30b()), 32'528'943'616u);
    EXPECT_EQ(active_parameters(llama_7b()), parameters(llama_7b()));
    EXPECT_EQ(routed_parameters(llama_7b()), 0u);
    const ModelShape mixture = deepseek_moe_16b();
    EXPECT_NEAR(static_cast<double>(parameters(mixture)), 16.38e9, 0.01e9);
    EXPECT_NEAR(static_cast<double>(active_parameters(mixture)), 2.83e9, 0.01e9);
    // 27 layers x 64 experts x 3 matrices x 2048 x 1408
    EXPECT_EQ(routed_parameters(mixture), 27ull * 64 * 3 * 2048 * 1408);
}

// Goal: a tied embedding, two matrices and few KV heads count once, twice and less. Method: Falcon
// 40B, whose checkpoint has 41.3 B.
TEST(ModelShape, CountsOtherArchitectures) {
    ModelShape falcon = llama(60, 8192, 128, 32768);
    falcon.transformer.kv_heads = 8;
    falcon.transformer.head_width = 64;
    falcon.transformer.mlp_matrices = 2;
    falcon.transformer.vocabulary = 65024;
    falcon.transformer.tied_embedding = true;
    EXPECT_NEAR(static_cast<double>(parameters(falcon)), 41.3e9, 0.05e9);
    EXPECT_EQ(kv_bytes_per_token(falcon.transformer), 2u * 60 * 8 * 64 * 2);
    EXPECT_EQ(bytes_of(1000, falcon), 2000u);
    falcon.weight_bits = 4;
    EXPECT_EQ(bytes_of(1000, falcon), 500u);
}

// Goal: the research notes' 0.524, 0.819 and 1.597 MB of keys and values for each token.
TEST(ModelShape, KeysAndValuesAreTheNotes) {
    EXPECT_EQ(kv_bytes_per_token(llama_7b().transformer), 524'288u);
    EXPECT_EQ(kv_bytes_per_token(llama_13b().transformer), 819'200u);
    EXPECT_EQ(kv_bytes_per_token(llama_30b().transformer), 1'597'440u);
}

// Goal: all parts are stored, the denoiser alone is at work. Method: a model of three parts.
TEST(ModelShape, DiffusionHasParts) {
    ModelShape model = sd_15();
    model.diffusion.text_encoder_parameters = 100;
    model.diffusion.decoder_parameters = 10;
    EXPECT_EQ(parameters(model), 859'520'110u);
    EXPECT_EQ(active_parameters(model), 859'520'000u);
    EXPECT_EQ(routed_parameters(model), 0u);
}

}  // namespace
}  // namespace ciuic::machine::test
