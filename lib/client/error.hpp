// SPDX-License-Identifier: Apache-2.0
//
// From Result and Status to what a C program gets: a status, and one line of text per thread.
//
// Threads: any. A failure is noted without allocation; the line is made when it is asked for.
#pragma once

#include "base/result.hpp"
#include "ciuic/vmm.h"

namespace ciuic {

ciuic_status status_of(Errc code);

// Notes the thread's last failure and returns its status. `what` is a string literal: what was
// refused, why, what to do.
ciuic_status fail(ciuic_status status, const char* what, int os_error = 0);
ciuic_status fail(const Error& error);

const char* last_failure_text();

}  // namespace ciuic
