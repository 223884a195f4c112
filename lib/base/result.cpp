// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

namespace ciuic {

const char* errc_text(Errc code) {
    switch (code) {
    case Errc::ok: return "ok";
    case Errc::invalid: return "invalid argument";
    case Errc::range: return "range leaves its region";
    case Errc::no_memory: return "no room left for the promise";
    case Errc::busy: return "busy";
    case Errc::data_lost: return "data lost";
    case Errc::io: return "refused by the operating system";
    case Errc::timed_out: return "timed out";
    case Errc::unsupported: return "not supported on this machine";
    case Errc::permission: return "permission denied";
    case Errc::disconnected: return "peer is gone";
    case Errc::version: return "protocol version mismatch";
    }
    return "unknown error";
}

}  // namespace ciuic
