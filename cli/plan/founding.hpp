// SPDX-License-Identifier: Apache-2.0
//
// The rows that the project set out with, as a table in Markdown for one card: models that are
// larger than the memory, with the share of native that was asked for, and what is possible.
//
// Threads: any.
#pragma once

#include "cli/plan/plan.hpp"

#include <string>
#include <vector>

namespace ciuic::cli::plan {

struct FoundingRow {
    std::string model;  // with its budget: "llama-7b in 6 GB"
    std::string work;   // "decode 1, 2k context"
    Question question;
};

// host: empty is the card's usual one.
std::vector<FoundingRow> founding_rows(const std::string& card, const std::string& host);

// Whether what is wanted can be had without loss, in a few words.
std::string verdict_of(const Plan& plan);

// host: empty is the card's usual one. One line that complains, or nothing where all is well.
std::string founding_table(const std::string& card, const std::string& host, std::string& table);

}  // namespace ciuic::cli::plan
