// SPDX-License-Identifier: Apache-2.0
//
// ciuic: the command line. Each subcommand is a pair of files; this one only tells them apart.
#include "cli/doctor_command.hpp"
#include "cli/run.hpp"

#include <CLI/CLI.hpp>

#ifndef CIUIC_VERSION
#define CIUIC_VERSION "unknown"
#endif

int main(int argc, char** argv) {
    using namespace ciuic::cli;
    CLI::App app("More memory than there is: hot data in memory, the rest on disk.", "ciuic");
    app.set_version_flag("--version", "ciuic " CIUIC_VERSION);
    app.require_subcommand(1);
    RunOptions run_options;
    CLI::App* run_command = app.add_subcommand(
        "run", "run a program that was not built for Ciuic, with its large allocations managed");
    add_run_options(*run_command, run_options);
    DoctorOptions doctor_options;
    CLI::App* doctor_command = app.add_subcommand(
        "doctor", "what of this machine is right for Ciuic, and the commands for what is not");
    add_doctor_options(*doctor_command, doctor_options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_refused;
    }
    if (doctor_command->parsed()) return run_doctor(doctor_options);
    return run(std::move(run_options));
}
