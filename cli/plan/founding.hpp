// SPDX-License-Identifier: Apache-2.0
//
// The rows that the project set out with, as a table in Markdown for one card: models that are
// larger than the memory, with the share of native that was asked for, and what is possible.
//
// Threads: any.
#pragma once

#include <string>

namespace ciuic::cli::plan {

// host: empty is the card's usual one. One line that complains, or nothing where all is well.
std::string founding_table(const std::string& card, const std::string& host, std::string& table);

}  // namespace ciuic::cli::plan
