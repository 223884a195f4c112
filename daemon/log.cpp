// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace ciuic {

void log_line(const char* format, ...) {
    char line[512];
    const int prefix = std::snprintf(line, sizeof line, "ciuic-swapd: ");
    va_list arguments;
    va_start(arguments, format);
    const int written = std::vsnprintf(line + prefix, sizeof line - prefix - 1, format, arguments);
    va_end(arguments);
    if (written < 0) return;
    const auto length = std::min(static_cast<size_t>(prefix + written), sizeof line - 2);
    line[length] = '\n';
    // Less than PIPE_BUF: what poll() finds room for, a pipe takes whole and at once.
    pollfd output{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&output, 1, 0) == 1 && (output.revents & POLLOUT))
        (void)!::write(STDERR_FILENO, line, length + 1);
}

}  // namespace ciuic
