// SPDX-License-Identifier: Apache-2.0
//
// A report in a few lines for people.
//
// Threads: any.
#pragma once

#include <string>

namespace ciuic::cli {

// Lines that end in a newline; one that says what is wrong with the file where it cannot be read.
std::string summarize_report(const std::string& path);

}  // namespace ciuic::cli
