// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ciuic {
namespace {

// Goal: a broken invariant stops the program and says which and where, however long the text; a
// kept one costs nothing and evaluates its condition once. Method: both, and an endless condition.
TEST(Check, StopsAndNamesTheCondition) {
    int evaluated = 0;
    CIUIC_CHECK(++evaluated == 1);
    EXPECT_EQ(evaluated, 1);
    EXPECT_DEATH(CIUIC_CHECK(evaluated == 2), "broken invariant: evaluated == 2 .*check_test.cpp");
    const std::string endless(4000, 'x');
    EXPECT_DEATH(check_failed(endless.c_str(), "file", 1), "broken invariant: xxx");
}

}  // namespace
}  // namespace ciuic
