// SPDX-License-Identifier: Apache-2.0
//
// `ciuic doctor`: what of this machine is right for Ciuic, and the commands for what is not.
//
// Not here: what is looked at (doctor/gather), what it means (doctor/findings).
// Threads: one.
#pragma once

#include <string>

namespace ciuic::cli {

struct DoctorOptions {
    bool json = false;
    std::string store;   // empty: where a daemon puts its swap file by default
    std::string socket;  // empty: $CIUIC_SOCKET, else the default
    std::string budget;  // empty: an eighth of the memory
};

// 0: nothing fails; 1: something does; 125: the options make no sense.
int run_doctor(const DoctorOptions& options);

}  // namespace ciuic::cli
