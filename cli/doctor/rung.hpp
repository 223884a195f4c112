// SPDX-License-Identifier: Apache-2.0
//
// From the features of a kernel to the way the host device works on it, its rung. The one place
// that has to follow when the device learns another.
//
// Threads: any.
#pragma once

#include "device/host/client_side.hpp"

namespace ciuic::cli::doctor {

// The way taken, and the kernel that the best one needs.
struct Rung {
    const char* name = nullptr;   // nullptr: this kernel has none
    const char* how = "";         // in words; without a name: what is lacking
    const char* best_needs = "";  // "Linux 6.8"
    bool is_best = false;
};

Rung shared_rung(const HostFeatures& features);    // ciuic-swapd and its clients
Rung embedded_rung(const HostFeatures& features);  // sessions inside a program

}  // namespace ciuic::cli::doctor
