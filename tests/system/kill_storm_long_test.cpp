// SPDX-License-Identifier: Apache-2.0
//
// Goal and method: those of kill_storm_test.cpp, with 5,000 kills.
#include "tests/system/storm/storm_check.hpp"

#include <gtest/gtest.h>

namespace ciuic::test {
namespace {

class KillStormLongTest : public testing::TestWithParam<const char*> {};

TEST_P(KillStormLongTest, LeavesNothingBehind) {
    check_storm({.frames = GetParam(), .kills = 2500, .survivors_wait_max = {10'000'000'000}});
}

INSTANTIATE_TEST_SUITE_P(Frames, KillStormLongTest, testing::Values("memfd", "tmpfs"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ciuic::test
