// SPDX-License-Identifier: Apache-2.0
//
// A plan for people and for programs.
//
// Threads: any.
#pragma once

#include "cli/plan/plan.hpp"

#include <string>
#include <vector>

namespace ciuic::cli::plan {

std::string text_of(const Plan& plan);

// Schema "ciuic-plan-1": the same numbers; keys name their units, and what is not there is null.
std::string json_of(const Plan& plan);

// What to do, the most important first: a name and a sentence.
struct Recommendation {
    const char* name;
    std::string sentence;
};
std::vector<Recommendation> recommendations_of(const Plan& plan);

}  // namespace ciuic::cli::plan
