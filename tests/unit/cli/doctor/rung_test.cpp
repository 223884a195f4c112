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
    EXPECT_EQ(shared_rung(features_of("6.1")).name, nullptr);
    EXPECT_STREQ(shared_rung(features_of("6.6")).name, "continue-wp");
    EXPECT_STREQ(shared_rung(features_of("6.18")).name, "continue-wp");
    EXPECT_EQ(embedded_rung(features_of("5.15")).name, nullptr);
    EXPECT_EQ(embedded_rung(features_of("6.6")).name, nullptr);
    EXPECT_STREQ(embedded_rung(features_of("6.6")).how, "no UFFDIO_MOVE (6.8)");
    EXPECT_STREQ(embedded_rung(features_of("6.18")).name, "move");
    EXPECT_TRUE(embedded_rung(features_of("6.18")).is_best);
}

// Goal: a client needs hugetlb faults and an embedded session poison, as the device asks for both.
// Method: one feature less.
TEST(Rung, NeedsEveryFeatureThatTheDeviceAsksFor) {
    HostFeatures features = features_of("6.18");
    features.minor_hugetlb = false;
    EXPECT_EQ(shared_rung(features).name, nullptr);
    features = features_of("6.18");
    features.poison = false;
    EXPECT_EQ(embedded_rung(features).name, nullptr);
    EXPECT_NE(shared_rung(features).name, nullptr);
}

}  // namespace
}  // namespace ciuic::cli::doctor::test
