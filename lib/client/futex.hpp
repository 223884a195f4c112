// SPDX-License-Identifier: Apache-2.0
//
// Waiting for a word of memory to change, between processes or threads, without a library in
// between.
#pragma once

#include "base/units.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

namespace ciuic {

// Returns when `word` was not `seen`, when it was woken, after `wait_max`, or for no reason.
inline void futex_wait(const std::atomic<uint32_t>& word, uint32_t seen, Nanos wait_max) {
    const timespec timeout{wait_max.value / 1'000'000'000, wait_max.value % 1'000'000'000};
    ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &timeout, nullptr, 0);
}

inline void futex_wake_all(const std::atomic<uint32_t>& word) {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace ciuic
