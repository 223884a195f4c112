// SPDX-License-Identifier: Apache-2.0
//
// Numbers as the plan prints them.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

namespace ciuic::cli::plan {

std::string gb_text(double bytes);          // "13.48 GB": 10^9 bytes, as data sheets have it
std::string seconds_text(double seconds);   // "18.0 ms", "1.36 s"
std::string percent_text(double fraction);  // "4.8 %", "75 %"; never rounded up to 100

}  // namespace ciuic::cli::plan
