// SPDX-License-Identifier: Apache-2.0
//
// Goal: reports name every cause, each differently.
#include "residency/cause.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ciuic {
namespace {

TEST(CauseTest, EveryCauseHasItsOwnName) {
    std::set<std::string> names;
    for (size_t cause = 0; cause < causes; ++cause)
        names.insert(cause_text(static_cast<Cause>(cause)));
    EXPECT_EQ(names.size(), causes);
    EXPECT_EQ(names.count("?"), 0u);
}

}  // namespace
}  // namespace ciuic
