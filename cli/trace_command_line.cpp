// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_command_line.hpp"

#include "cli/trace/models/cache_model.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <deque>
#include <string>
#include <utility>

namespace ciuic::cli {
namespace {

constexpr const char* what_a_recording_sees =
    "What is seen: allocations of --threshold and above that are managed as under `ciuic run`; a "
    "chunk of them each time that it is used and not in the window, and its first write there. "
    "What is not: uses of a chunk that is still in the window (of the least window, of 8 chunks, "
    "about the last 4 that were used), smaller allocations, files, and which of a program's "
    "threads it was (each process is one). Times are those of the recording, in which every use "
    "waits for its chunk.\n"
    "Exit status: the command's; 125 where it was not run, or ended well and left no trace.";

// A pattern's own options: one number for each parameter, if it was given.
struct PatternApp {
    const trace::Pattern* pattern;
    CLI::App* app;
    std::deque<std::pair<std::string, double>> values;  // in place: the library keeps references
};

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

std::string names_of_models() {
    std::string names;
    for (const models::NamedModel& model : models::all_models())
        names += (names.empty() ? "" : ", ") + std::string(model.name);
    return names;
}

}  // namespace

struct TraceCommandLine::State {
    CLI::App* trace = nullptr;
    CLI::App* info = nullptr;
    CLI::App* convert = nullptr;
    CLI::App* replay = nullptr;
    CLI::App* record = nullptr;
    TraceInfoOptions info_options;
    TraceConvertOptions convert_options;
    TraceGenerateOptions generate_options;
    TraceReplayOptions replay_options;
    TraceRecordOptions record_options;
    std::deque<PatternApp> patterns;

    void add_info();
    void add_convert();
    void add_generate();
    void add_pattern(CLI::App& generate, const trace::Pattern& pattern);
    void add_replay();
    void add_record();
};

void TraceCommandLine::State::add_info() {
    info = trace->add_subcommand("info", "what is in a trace: uses, chunks, regions, phases");
    info->add_option("trace", info_options.trace, "a trace of Ciuic")->required();
    info->add_flag("--json", info_options.json, "for programs: schema ciuic-trace-info-1");
}

void TraceCommandLine::State::add_convert() {
    convert = trace->add_subcommand(
        "convert", "to a trace of Ciuic from one of others, or from it to what others read");
    convert->add_option("from", convert_options.from_path, "the file to read")->required();
    convert->add_option("to", convert_options.to_path, "the file to write")->required();
    convert
        ->add_option("--from", convert_options.from,
                     "ciuic; msr: block traces of MSR Cambridge (CSV); oracle: libCacheSim's "
                     "oracleGeneral (by its first bytes or its name)")
        ->check(CLI::IsMember({"ciuic", "msr", "oracle"}));
    convert
        ->add_option("--to", convert_options.to,
                     "ciuic; perfetto: JSON for ui.perfetto.dev (*.json); chunks: a chunk's number "
                     "a line, as libCacheSim reads it (*.txt)")
        ->check(CLI::IsMember({"ciuic", "perfetto", "chunks"}));
    convert->add_option("--chunk", convert_options.chunk,
                        "what a foreign trace is cut into, a power of two (64KiB)");
}

void TraceCommandLine::State::add_pattern(CLI::App& generate, const trace::Pattern& pattern) {
    PatternApp& own = patterns.emplace_back();
    own.pattern = &pattern;
    own.app = generate.add_subcommand(pattern.name, pattern.meaning);
    const trace::Values usual(pattern);
    for (const auto parameters : {pattern.parameters, trace::common_parameters()}) {
        for (const trace::Parameter& parameter : parameters) {
            auto& [name, value] = own.values.emplace_back(parameter.name, usual[parameter.name]);
            own.app
                ->add_option("--" + name, value,
                             std::string(parameter.meaning) + " (" + number_text(value) + ")")
                ->type_name("NUMBER");
        }
    }
    own.app->add_option("--seed", generate_options.seed, "the same seed makes the same trace (1)")
        ->check(CLI::NonNegativeNumber);
    own.app->add_option("--chunk", generate_options.chunk, "bytes of a chunk (2MiB)");
    own.app->add_option("-o,--output", generate_options.to_path, "the trace to write")->required();
}

void TraceCommandLine::State::add_generate() {
    CLI::App* generate =
        trace->add_subcommand("generate", "make a trace of a known kind, by its parameters and a "
                                          "seed; each kind has its own --help");
    generate->require_subcommand(1);
    for (const trace::Pattern& pattern : trace::patterns()) add_pattern(*generate, pattern);
}

void TraceCommandLine::State::add_replay() {
    replay = trace->add_subcommand(
        "replay", "how often each policy would have had what a trace uses, beside the optimum");
    replay->add_option("trace", replay_options.trace, "a trace of Ciuic")->required();
    replay
        ->add_option("--memory", replay_options.memory,
                     "parts of the footprint or sizes, e.g. 50% 75% 6GiB (50% 75% 90%)")
        ->delimiter(',');
    replay
        ->add_option("--policy", replay_options.policies,
                     "of " + names_of_models() + " (all); belady is always there")
        ->delimiter(',');
    replay
        ->add_option("--from", replay_options.from,
                     "count only from this use on: those before it warm up (0)")
        ->check(CLI::NonNegativeNumber);
    replay->add_flag("--json", replay_options.json, "for programs: schema ciuic-trace-replay-1");
}

void TraceCommandLine::State::add_record() {
    record = trace->add_subcommand("record", "run a command, and write down what it uses");
    record->footer(what_a_recording_sees);
    record->add_option("-o,--output", record_options.to_path, "the trace to write")->required();
    record->add_option("--chunk", record_options.chunk,
                       "what is seen as one, a power of two from 64KiB (2MiB)");
    record->add_option("--window", record_options.window,
                       "memory that may really be used, in which uses are not seen (8 chunks)");
    record->add_option("--total", record_options.total,
                       "most managed memory in all, the swap file's size (2GiB)");
    record->add_option("--swap-dir", record_options.swap_dir,
                       "where the swap file goes (/dev/shm, if the machine has twice --total of "
                       "memory to give; else /var/tmp)");
    record->add_option("--threshold", record_options.threshold,
                       "allocations of this size and above are seen (1MiB)");
    record->add_flag("--mmap", record_options.serve_mmap, "large anonymous mappings, too");
    record->add_flag("--summary,-v", record_options.summary, "a short report on standard error");
    record->add_option("command", record_options.command, "what to run, with its arguments")
        ->required()
        ->option_text("-- CMD [ARG]...");
    record->positionals_at_end();
}

TraceCommandLine::TraceCommandLine(CLI::App& app) : state_(std::make_unique<State>()) {
    state_->trace = app.add_subcommand(
        "trace", "what a program used of its memory, and how often policies would have had it");
    state_->trace->require_subcommand(1);
    state_->add_info();
    state_->add_convert();
    state_->add_generate();
    state_->add_replay();
    state_->add_record();
}

TraceCommandLine::~TraceCommandLine() = default;

bool TraceCommandLine::parsed() const { return state_->trace->parsed(); }

TraceOptions TraceCommandLine::options() const {
    if (state_->info->parsed()) return state_->info_options;
    if (state_->convert->parsed()) return state_->convert_options;
    if (state_->replay->parsed()) return state_->replay_options;
    if (state_->record->parsed()) return state_->record_options;
    TraceGenerateOptions options = state_->generate_options;
    for (const PatternApp& own : state_->patterns) {
        if (!own.app->parsed()) continue;
        options.pattern = own.pattern;
        options.values.assign(own.values.begin(), own.values.end());
    }
    return options;
}

}  // namespace ciuic::cli
