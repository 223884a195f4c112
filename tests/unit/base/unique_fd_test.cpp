// SPDX-License-Identifier: Apache-2.0
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace ciuic {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

UniqueFd open_one() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Goal: one owner, closed exactly once. Method: follow a descriptor through a move, a move on top
// of another, a move onto itself, release and the end of its scope.
TEST(UniqueFd, ClosesExactlyWhatItOwns) {
    UniqueFd first = open_one();
    const int number = first.get();
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
    EXPECT_EQ(second.get(), number);

    UniqueFd third = open_one();
    const int replaced = third.get();
    third = std::move(second);
    EXPECT_FALSE(is_open(replaced));
    EXPECT_TRUE(is_open(number));

    UniqueFd& same = third;
    third = std::move(same);
    EXPECT_TRUE(is_open(number));

    const int released = third.release();
    third.reset();
    EXPECT_TRUE(is_open(released));
    { const UniqueFd last(released); }
    EXPECT_FALSE(is_open(released));
}

}  // namespace
}  // namespace ciuic
