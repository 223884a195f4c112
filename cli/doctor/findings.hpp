// SPDX-License-Identifier: Apache-2.0
//
// What the facts mean for Ciuic: one finding each, with the commands that help where something is
// not right. Pure: the same facts give the same findings.
//
// Threads: any.
#pragma once

#include "cli/doctor/facts.hpp"

#include <string>
#include <vector>

namespace ciuic::cli::doctor {

enum class State {
    ok,
    warn,  // works, but slower or with less than it could
    fail,  // does not work
};

struct Finding {
    std::string id;  // "memory.huge_pages": stable, for programs
    State state = State::ok;
    std::string what;                   // what is so
    std::string why;                    // why it matters
    std::vector<std::string> remedies;  // each helps by itself; none where all is well
};

std::vector<Finding> find(const Facts& facts);
bool any_fails(const std::vector<Finding>& findings);

// How the container around this process is given an option of `docker run`.
std::string container_option(const Facts& facts, const std::string& option);

// The parts of find(), in its order.
std::vector<Finding> judge_kernel(const Facts& facts);
std::vector<Finding> judge_rights(const Facts& facts);  // userfaultfd, daemon
std::vector<Finding> judge_memory(const Facts& facts);
std::vector<Finding> judge_limits(const Facts& facts);
std::vector<Finding> judge_store(const Facts& facts);  // the disk, and how it is reached
std::vector<Finding> judge_place(const Facts& facts);

}  // namespace ciuic::cli::doctor
