// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/rung.hpp"

#include "tests/unit/cli/doctor/machines.hpp"

#include <gtest/gtest.h>

namespace ciuic::cli::doctor::test {
namespace {

// Goal: every kernel gets the rung that the device takes on it, or the feature that is lacking.
// Method: the features of four kernels.
TEST(Rung, FollowsTheFeatures) {
    EXPECT_EQ(shared_rung(features_of("5.15")).name, nullptr);
    EXPECT_STREQ(shared_rung(features_of("6.1")).name, "base");
    EXPECT_FALSE(shared_rung(features_of("6.1")).is_best);
    EXPECT_STREQ(shared_rung(features_of("6.6")).name, "protects");
    EXPECT_STREQ(shared_rung(features_of("6.18")).name, "protects");
    EXPECT_TRUE(shared_rung(features_of("6.18")).is_best);
    EXPECT_EQ(embedded_rung(features_of("5.15")).name, nullptr);
    EXPECT_STREQ(embedded_rung(features_of("6.1")).name, "base");
    EXPECT_STREQ(embedded_rung(features_of("6.6")).name, "poisons");
    EXPECT_FALSE(embedded_rung(features_of("6.6")).is_best);
    EXPECT_STREQ(embedded_rung(features_of("6.18")).name, "moves");
    EXPECT_TRUE(embedded_rung(features_of("6.18")).is_best);
}

// Goal: who may page is not mixed up with what the kernel can. Method: a kernel whose userfaultfd
// this user may not have.
TEST(Rung, IsTheKernelsWhoeverAsks) {
    HostFeatures features = features_of("6.18");
    features.userfault = false;
    EXPECT_STREQ(shared_rung(features).name, "protects");
    EXPECT_STREQ(embedded_rung(features).name, "moves");
}

}  // namespace
}  // namespace ciuic::cli::doctor::test
