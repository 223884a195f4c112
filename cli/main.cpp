// SPDX-License-Identifier: Apache-2.0
//
// ciuic: the command line. Each subcommand is a pair of files; this one only tells them apart.
#include "cli/command_line.hpp"
#include "cli/doctor_command.hpp"
#include "cli/plan_command.hpp"
#include "cli/run.hpp"
#include "cli/trace_command.hpp"

#include <utility>

int main(int argc, char** argv) {
    using namespace ciuic::cli;
    CommandLine command_line;
    if (const auto status = read_command_line(argc, argv, command_line)) return *status;
    if (command_line.trace) return run_trace(*command_line.trace);
    if (command_line.is_doctor) return run_doctor(command_line.doctor);
    if (command_line.is_plan) return run_plan(command_line.plan);
    return run(std::move(command_line.run));
}
