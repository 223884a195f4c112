// SPDX-License-Identifier: Apache-2.0
#include "client/error.hpp"

#include <cstdio>
#include <cstring>

namespace ciuic {

namespace {

struct LastFailure {
    ciuic_status status;
    int os_error;
    const char* what;
    char text[320];
};
// Zeros: no failure yet. Trivial, so that a thread's end runs nothing.
thread_local LastFailure last_failure;

}  // namespace

ciuic_status status_of(Errc code) {
    switch (code) {
    case Errc::ok: return CIUIC_OK;
    case Errc::invalid: return CIUIC_E_INVALID;
    case Errc::range: return CIUIC_E_RANGE;
    case Errc::no_memory: return CIUIC_E_NO_MEMORY;
    case Errc::busy: return CIUIC_E_BUSY;
    case Errc::data_lost: return CIUIC_E_DATA_LOST;
    case Errc::io: return CIUIC_E_IO;
    case Errc::timed_out: return CIUIC_E_TIMED_OUT;
    case Errc::unsupported: return CIUIC_E_UNSUPPORTED;
    case Errc::permission: return CIUIC_E_PERMISSION;
    case Errc::disconnected: return CIUIC_E_DISCONNECTED;
    case Errc::version: return CIUIC_E_VERSION;
    }
    return CIUIC_E_IO;  // a code of a later daemon
}

ciuic_status fail(ciuic_status status, const char* what, int os_error) {
    last_failure.status = status;
    last_failure.os_error = os_error;
    last_failure.what = what;
    return status;
}

ciuic_status fail(const Error& error) {
    return fail(status_of(error.code), error.what, error.os_error);
}

const char* last_failure_text() {
    LastFailure& last = last_failure;
    if (last.status == CIUIC_OK) return "";
    const char* meaning = ciuic_status_text(last.status);
    // strerrordesc_np: no locale, no allocation.
    const char* reason = last.os_error ? strerrordesc_np(last.os_error) : nullptr;
    if (reason)
        std::snprintf(last.text, sizeof last.text, "%s: %s (%s)", meaning, last.what, reason);
    else
        std::snprintf(last.text, sizeof last.text, "%s: %s", meaning, last.what);
    return last.text;
}

}  // namespace ciuic
