// SPDX-License-Identifier: Apache-2.0
//
// Why a chunk moves. Every move carries one, so that tools can say why.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ciuic {

enum class Cause : uint8_t {
    fault,     // the program touched it
    acquire,   // the program declared it
    prefetch,  // policy expects it
    pressure,  // frames are short
    request,   // the program asked for it to go
};
inline constexpr size_t causes = 5;

const char* cause_text(Cause cause);

}  // namespace ciuic
