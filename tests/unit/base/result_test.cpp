// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

namespace ciuic {
namespace {

Result<std::unique_ptr<int>> make(bool works) {
    if (!works) return os_refusal("make", EIO);
    return std::make_unique<int>(7);
}

Result<int> doubled(bool works) {
    CIUIC_TRY(const std::unique_ptr<int> value, make(works));
    return 2 * *value;
}

Status step(bool works) {
    if (!works) return Error{Errc::busy, 0, "step"};
    return {};
}

Status checked(bool works, int& steps) {
    ++steps;
    CIUIC_TRY_STATUS(step(works));
    ++steps;
    return {};
}

// Goal: CIUIC_TRY hands the value on, move-only ones too, and leaves with the error unchanged.
// Method: one function under it that works and one that is refused.
TEST(Result, TryHandsOnValueAndError) {
    ASSERT_TRUE(doubled(true).has_value());
    EXPECT_EQ(*doubled(true), 14);
    const Result<int> refused = doubled(false);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::io);
    EXPECT_EQ(refused.error().os_error, EIO);
    EXPECT_STREQ(refused.error().what, "make");
}

// Goal: CIUIC_TRY_STATUS goes on after success and leaves at once after a refusal.
// Method: count the steps that were reached.
TEST(Status, TryLeavesOnlyOnRefusal) {
    int steps = 0;
    EXPECT_TRUE(checked(true, steps));
    EXPECT_EQ(steps, 2);
    EXPECT_EQ(checked(false, steps).error().code, Errc::busy);
    EXPECT_EQ(steps, 3);
}

// Goal: users can tell errors apart. Method: every code has a text of its own, and a number that is
// no code still has one.
TEST(Errc, EveryCodeHasItsOwnText) {
    std::set<std::string> texts;
    const int codes = static_cast<int>(Errc::version) + 1;
    for (int code = 0; code <= codes; ++code) texts.insert(errc_text(static_cast<Errc>(code)));
    EXPECT_EQ(texts.size(), static_cast<size_t>(codes) + 1);
}

}  // namespace
}  // namespace ciuic
