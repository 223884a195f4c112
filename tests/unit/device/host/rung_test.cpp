// SPDX-License-Identifier: Apache-2.0
#include "device/host/rung.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace ciuic::test {
namespace {

constexpr HostFeatures all{.userfault = true,
                           .minor_shared = true,
                           .minor_hugetlb = true,
                           .continue_wp = true,
                           .poison = true,
                           .move = true,
                           .refusal = {}};

// Goal: a rung is what its features are, and taking features away leads down to each and never up.
// Method: all of them limited to each rung, and that to a higher one.
TEST(Rung, FeaturesAndRungsAgree) {
    for (const HostRung rung : host_rungs) {
        const HostFeatures features = limited_to(rung, all);
        EXPECT_EQ(rung_of(features), rung) << rung_name(rung);
        for (const HostRung other : host_rungs)
            EXPECT_EQ(rung_of(limited_to(other, features)), std::min(rung, other));
    }
}

// Goal: a hole in the middle costs all that is above it. Method: move without poison; everything
// without userfaultfd.
TEST(Rung, AHoleCostsWhatIsAboveIt) {
    HostFeatures features = all;
    features.poison = false;
    EXPECT_EQ(rung_of(features), HostRung::protects);
    features = all;
    features.userfault = false;
    EXPECT_EQ(rung_of(features), HostRung::none);
}

// Goal: what is said of this kernel is what was probed, with a reason. Method: both.
TEST(Rung, ReportsThisKernel) {
    const HostRungReport report = host_rung();
    EXPECT_EQ(report.rung, rung_of(probe_host_features()));
    EXPECT_STREQ(report.name, rung_name(report.rung));
    EXPECT_GT(std::strlen(report.why), 10u);
}

}  // namespace
}  // namespace ciuic::test
