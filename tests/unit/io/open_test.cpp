// SPDX-License-Identifier: Apache-2.0
#include "io/open.hpp"

#include "limits.hpp"
#include "tests/support/no_io_uring.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ciuic {
namespace {

// What open_io() gives in a child whose io_uring_setup() fails with `os_error`.
enum class Outcome { threads, refused, other, no_filter };

Outcome open_where_refused(int os_error, IoKind kind) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (!test::refuse_io_uring(os_error)) ::_exit(static_cast<int>(Outcome::no_filter));
        const auto io = open_io(STDIN_FILENO, 4, kind);
        Outcome outcome = Outcome::other;
        if (io.has_value() && std::strcmp((*io)->name(), "threads") == 0)
            outcome = Outcome::threads;
        if (!io.has_value() && io.error().os_error == os_error) outcome = Outcome::refused;
        ::_exit(static_cast<int>(outcome));
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : Outcome::other;
}

// Goal: where the machine refuses io_uring, threads serve; where io_uring was asked for by name, or
// the trouble is another, the refusal is passed on. Method: a seccomp filter in a child process.
TEST(OpenIo, FallsBackOnlyWhereTheMachineRefuses) {
    if (open_where_refused(EPERM, IoKind::automatic) == Outcome::no_filter)
        GTEST_SKIP() << "seccomp filters are refused here";
    for (const int os_error : {ENOSYS, EPERM, EACCES, ENOMEM}) {
        EXPECT_EQ(open_where_refused(os_error, IoKind::automatic), Outcome::threads) << os_error;
        EXPECT_EQ(open_where_refused(os_error, IoKind::uring), Outcome::refused) << os_error;
        EXPECT_EQ(open_where_refused(os_error, IoKind::threads), Outcome::threads) << os_error;
    }
    EXPECT_EQ(open_where_refused(EMFILE, IoKind::automatic), Outcome::refused);
}

// Goal: automatic means io_uring wherever there is one. Method: compare with asking for it.
TEST(OpenIo, PrefersIoUring) {
    const auto ring = open_io(STDIN_FILENO, 4, IoKind::uring);
    if (!ring.has_value())
        GTEST_SKIP() << "io_uring is refused here: " << std::strerror(ring.error().os_error);
    EXPECT_STREQ((*open_io(STDIN_FILENO, 4, IoKind::automatic))->name(), "io_uring");
}

// Goal: a wrong depth is our caller's mistake, not a reason to fall back. Method: zero.
TEST(OpenIo, RefusesAWrongDepth) {
    for (const IoKind kind : {IoKind::automatic, IoKind::uring, IoKind::threads})
        EXPECT_EQ(open_io(STDIN_FILENO, 0, kind).error().code, Errc::invalid);
}

}  // namespace
}  // namespace ciuic
