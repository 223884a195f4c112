// SPDX-License-Identifier: Apache-2.0
//
// Findings for people and for programs.
//
// Threads: any.
#pragma once

#include "cli/doctor/findings.hpp"

#include <string>
#include <vector>

namespace ciuic::cli::doctor {

// One line each, in columns; the reason and the remedies of what is not right below it.
std::string text_of(const Facts& facts, const std::vector<Finding>& findings);

// Schema "ciuic-doctor-1": the findings, the rungs, and the facts that are numbers, whose keys name
// their units. What is unlimited or not known is null.
std::string json_of(const Facts& facts, const std::vector<Finding>& findings);

}  // namespace ciuic::cli::doctor
