// SPDX-License-Identifier: Apache-2.0
//
// A place in the swap file.
#pragma once

#include "limits.hpp"

#include <cstdint>

namespace ciuic {

struct Extent {
    uint32_t first_granule = 0;
    uint32_t granules = 0;  // 0: no place

    constexpr bool empty() const { return granules == 0; }
    constexpr uint64_t offset_bytes() const { return first_granule * limits::granule_bytes; }
    constexpr uint64_t length_bytes() const { return granules * limits::granule_bytes; }
    constexpr bool operator==(const Extent&) const = default;
};
static_assert(sizeof(Extent) == 8);

}  // namespace ciuic
