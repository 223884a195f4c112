// SPDX-License-Identifier: Apache-2.0
//
// Goal: clients may die or stop at any instant: no byte of another's changes, nothing of theirs
// stays behind, nobody waits for them. Method: 300 kills among clients that verify every byte; then
// the daemon must hold what it held before the first.
#include "tests/system/storm/storm_check.hpp"

#include <gtest/gtest.h>

namespace ciuic::test {
namespace {

class KillStormTest : public testing::TestWithParam<const char*> {};

TEST_P(KillStormTest, LeavesNothingBehind) {
    check_storm({.frames = GetParam(), .kills = 150, .survivors_wait_max = {30'000'000'000}});
}

INSTANTIATE_TEST_SUITE_P(Frames, KillStormTest, testing::Values("memfd", "tmpfs"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ciuic::test
