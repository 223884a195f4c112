// SPDX-License-Identifier: Apache-2.0
#include "residency/cause.hpp"

namespace ciuic {

const char* cause_text(Cause cause) {
    switch (cause) {
    case Cause::fault: return "fault";
    case Cause::acquire: return "acquire";
    case Cause::prefetch: return "prefetch";
    case Cause::pressure: return "pressure";
    case Cause::request: return "request";
    }
    return "?";
}

}  // namespace ciuic
