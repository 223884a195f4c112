// SPDX-License-Identifier: Apache-2.0
//
// usage: without_io_uring ERRNO COMMAND [ARG]...
//
// The command with io_uring_setup() failing with that number, also for what the command starts. 77:
// filters are refused here.
#include "tests/support/no_io_uring.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

int main(int count, char** arguments) {
    if (count < 3) return 2;
    if (!ciuic::test::refuse_io_uring(std::atoi(arguments[1]))) return 77;
    ::execv(arguments[2], arguments + 2);
    std::perror(arguments[2]);
    return 127;
}
