// SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace ciuic {

void check_failed(const char* condition, const char* file, int line) {
    char text[512];
    const int length = std::snprintf(text, sizeof text, "ciuic: broken invariant: %s (%s:%d)\n",
                                     condition, file, line);
    if (length > 0) {
        const auto wanted = static_cast<size_t>(length);
        const ssize_t written =
            ::write(STDERR_FILENO, text, wanted < sizeof text ? wanted : sizeof text - 1);
        (void)written;  // nothing more can be done: the next line ends the process
    }
    std::abort();
}

}  // namespace ciuic
