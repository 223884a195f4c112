// SPDX-License-Identifier: Apache-2.0
//
// What the command line asks for. The library that reads it is named in command_line.cpp and
// trace_command_line.cpp alone: it is what compiling this program costs.
//
// Not here: what the options mean together (run_options, doctor_command, plan_command,
// trace_command).
// Threads: start-up only.
#pragma once

#include "cli/doctor_command.hpp"
#include "cli/plan_command.hpp"
#include "cli/run_options.hpp"
#include "cli/trace_command.hpp"

#include <optional>

namespace ciuic::cli {

struct CommandLine {
    bool is_doctor = false;
    bool is_plan = false;
    std::optional<TraceOptions> trace;
    RunOptions run;  // where it is none of these
    DoctorOptions doctor;
    PlanOptions plan;
};

// The exit status, if there is nothing left to do: help was asked for, or something is wrong.
std::optional<int> read_command_line(int argc, char** argv, CommandLine& command_line);

}  // namespace ciuic::cli
