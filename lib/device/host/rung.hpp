// SPDX-License-Identifier: Apache-2.0
//
// The ladder: what the host devices make of the kernel they find. Each rung is all of the one below
// it and more, and every rung passes tests/contract/device_contract.
//
//   none       nothing can be paged
//   base       6.1: memory files are paged. Chunks are shown whole and writable, and what was
//              written is found by comparing tags
//   protects   6.4: chunks are shown write-protected, and block by block
//   poisons    6.6: a lost chunk costs the touch of it, not the session
//   moves      6.8: an embedded session lends its frames and single blocks, and copies nothing
//
// The devices look at the features themselves, as a kernel may lack one in the middle; the rung is
// their name for people, and a test's way to take features away.
//
// Not here: how features are found (client_side), what is done with them (shared, embedded).
// Threads: any; not on a path that serves faults.
#pragma once

#include "device/host/client_side.hpp"

#include <array>
#include <cstdint>

namespace ciuic {

enum class HostRung : uint8_t { none, base, protects, poisons, moves };

inline constexpr std::array host_rungs{HostRung::none, HostRung::base, HostRung::protects,
                                       HostRung::poisons, HostRung::moves};

// The highest rung of which nothing is lacking.
HostRung rung_of(const HostFeatures& features);

// The features without those that only rungs above `highest` have.
HostFeatures limited_to(HostRung highest, HostFeatures features);

const char* rung_name(HostRung rung);

struct HostRungReport {
    HostRung rung = HostRung::none;
    const char* name = "";
    // One line: what this rung means; of `none` why, and what to do.
    const char* why = "";
};

// Of this kernel and this process.
HostRungReport host_rung();

}  // namespace ciuic
