// SPDX-License-Identifier: Apache-2.0
//
// The daemon's lines on standard error. A line that would have to wait is dropped: whoever should
// read it may be a program that waits for this daemon.
//
// Threads: the daemon's.
#pragma once

namespace ciuic {

// "ciuic-swapd: <line>\n", at most 500 bytes.
[[gnu::format(printf, 1, 2)]] void log_line(const char* format, ...);

}  // namespace ciuic
