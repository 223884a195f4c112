// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.hpp"

#include "cli/run.hpp"
#include "cli/trace_command_line.hpp"

#include <CLI/CLI.hpp>

#ifndef CIUIC_VERSION
#define CIUIC_VERSION "unknown"
#endif

namespace ciuic::cli {
namespace {

void add_run_options(CLI::App& run, RunOptions& options) {
    const std::string own = "With --budget: a daemon for this command alone";
    run.add_option("--budget", options.budget, "memory that may really be used, e.g. 6GiB");
    run.add_option("--total", options.total, "most memory in all, the swap file's size")
        ->group(own);
    run.add_option("--swap-dir", options.swap_dir, "where the swap file goes (/var/tmp)")
        ->group(own);
    run.add_option("--chunk", options.chunk, "unit of residency, a power of two (2MiB)")
        ->group(own);
    run.add_option("--frames", options.frames, "auto, hugetlb, tmpfs or memfd")->group(own);
    run.add_option("--report", options.report, "write a JSON report here at the end")->group(own);
    run.add_flag("--summary,-v", options.summary, "a short report on standard error")->group(own);

    run.add_option("--socket", options.socket, "of a running daemon, instead of --budget");
    run.add_option("--device", options.device, "auto or host");
    run.add_option("--threshold", options.threshold,
                   "allocations of this size and above are managed (1MiB)");
    run.add_flag("--mmap", options.serve_mmap, "manage large anonymous mappings, too");
    run.add_flag("--strict", options.strict,
                 "end with code 125 where the command's memory cannot be managed");
    run.add_option("command", options.command, "what to run, with its arguments")
        ->required()
        ->option_text("-- CMD [ARG]...");
    run.positionals_at_end();
}

void add_doctor_options(CLI::App& doctor, DoctorOptions& options) {
    doctor.add_flag("--json", options.json, "for programs: schema ciuic-doctor-1");
    doctor.add_option("--store", options.store, "where the swap file is to go (/var/tmp)");
    doctor.add_option("--socket", options.socket, "of the daemon to look at");
    doctor.add_option("--budget", options.budget,
                      "judge for this much memory, e.g. 6GiB (an eighth of the machine's)");
}

void add_plan_options(CLI::App& plan, PlanOptions& options) {
    plan.add_option("--model", options.model, "a name from --list, or a file like ./mine.toml");
    plan.add_option("--budget", options.budget, "memory of the card to use, e.g. 6GiB");
    plan.add_option("--card", options.card, "a name from --list, or a file");
    plan.add_option("--host", options.host, "the machine around it (the card's usual one)");
    plan.add_option("--work", options.work, "decode, prefill, training or denoise (decode)");
    plan.add_option("--batch", options.batch, "sequences or pictures at once (1)");
    plan.add_option("--context", options.context, "tokens of each sequence (2048)");
    plan.add_option("--wanted", options.wanted_percent, "percent of native to aim at (90)");
    plan.add_flag("--json", options.json, "for programs: schema ciuic-plan-1");
    plan.add_flag("--list", options.list, "the models, cards and hosts that are known");
    plan.add_flag("--founding", options.founding,
                  "the project's founding rows as tables, for --card or all cards");
}

}  // namespace

std::optional<int> read_command_line(int argc, char** argv, CommandLine& command_line) {
    CLI::App app("More memory than there is: hot data in memory, the rest on disk.", "ciuic");
    app.set_version_flag("--version", "ciuic " CIUIC_VERSION);
    app.require_subcommand(1);
    CLI::App* run = app.add_subcommand(
        "run", "run a program that was not built for Ciuic, with its large allocations managed");
    add_run_options(*run, command_line.run);
    CLI::App* doctor = app.add_subcommand(
        "doctor", "what of this machine is right for Ciuic, and the commands for what is not");
    add_doctor_options(*doctor, command_line.doctor);
    CLI::App* plan = app.add_subcommand(
        "plan", "what a model larger than the memory can reach on a card, and what would help");
    add_plan_options(*plan, command_line.plan);
    const TraceCommandLine trace(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_refused;
    }
    command_line.is_doctor = doctor->parsed();
    command_line.is_plan = plan->parsed();
    if (trace.parsed()) command_line.trace = trace.options();
    return {};
}

}  // namespace ciuic::cli
