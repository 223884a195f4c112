// SPDX-License-Identifier: Apache-2.0
//
// Striping: which places of a store lie on its slower medium, where memory holds only a part of it.
// They are spread evenly, so that whoever reads one place after the other keeps both at work.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace ciuic {

struct Striping {
    static constexpr uint64_t whole = 1u << 16;
    uint64_t slow = 0;  // of `whole` places

    bool is_slow(uint64_t place) const {
        return (place + 1) * slow / whole != place * slow / whole;
    }
};

}  // namespace ciuic
