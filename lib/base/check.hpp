// SPDX-License-Identifier: Apache-2.0
//
// CIUIC_CHECK: a broken invariant is our own bug and stops the program, in every build.
#pragma once

namespace ciuic {

// Writes one line to standard error with plain write(2), so that it works in a thread that serves
// page faults, then aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace ciuic

#define CIUIC_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            ::ciuic::check_failed(#condition, __FILE__, __LINE__);                                 \
    } while (false)
