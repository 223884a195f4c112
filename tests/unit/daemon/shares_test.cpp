// SPDX-License-Identifier: Apache-2.0
//
// Goal: a rule fits exactly whom it names. Method: realms on both sides of each border.
#include "daemon/shares.hpp"

#include <gtest/gtest.h>

namespace ciuic {
namespace {

Realm realm(uid_t uid, const std::string& cgroup) { return {uid, cgroup, 0}; }

TEST(SharesTest, AUserIsOneUser) {
    const ShareRule rule{.user = 1000, .cgroup = "", .share = {}};
    EXPECT_TRUE(fits(rule, realm(1000, "/any")));
    EXPECT_FALSE(fits(rule, realm(1001, "/any")));
}

TEST(SharesTest, ACgroupIsItselfAndWhatIsBelowIt) {
    const ShareRule rule{.user = {}, .cgroup = "/jobs/a", .share = {}};
    EXPECT_TRUE(fits(rule, realm(1, "/jobs/a")));
    EXPECT_TRUE(fits(rule, realm(1, "/jobs/a/b")));
    EXPECT_FALSE(fits(rule, realm(1, "/jobs/ab")));
    EXPECT_FALSE(fits(rule, realm(1, "/jobs")));
    EXPECT_FALSE(fits(rule, realm(1, "/")));
}

TEST(SharesTest, BothMustFitAndTheFirstRuleCounts) {
    const std::vector<ShareRule> rules{
        {.user = 1, .cgroup = "/a", .share = {.weight = 1}},
        {.user = 1, .cgroup = "", .share = {.weight = 2}},
        {.user = {}, .cgroup = "/a", .share = {.weight = 3}},
    };
    const Share otherwise{.weight = 4};
    EXPECT_EQ(share_of(rules, otherwise, realm(1, "/a")).weight, 1u);
    EXPECT_EQ(share_of(rules, otherwise, realm(1, "/b")).weight, 2u);
    EXPECT_EQ(share_of(rules, otherwise, realm(2, "/a")).weight, 3u);
    EXPECT_EQ(share_of(rules, otherwise, realm(2, "/b")).weight, 4u);
}

}  // namespace
}  // namespace ciuic
