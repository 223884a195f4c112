// SPDX-License-Identifier: Apache-2.0
//
// gpu-probe: measures on a real card what the design of the CUDA device rests on. Options, the
// order of the probes, the total deadline, and the two kinds of child that it starts as itself.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "child.hpp"
#include "kernels.hpp"
#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr int EXIT_ALL_ANSWERED = 0;
constexpr int EXIT_PROBE_FAILED = 1;
constexpr int EXIT_NO_CARD = 2;
constexpr int EXIT_USAGE = 64;

constexpr const char* HELP =
    "gpu-probe [options]    measure a CUDA card; see README.md for what the answers mean\n"
    "  --json FILE          save every number as JSON\n"
    "  --quick              fewer repetitions and sizes\n"
    "  --deadline-s N       start no probe after N seconds (default 240)\n"
    "  --device N           ordinal of the card (default 0)\n"
    "  --only A,B           run only these probes\n"
    "  --provoke-fault      also run the probe that faults its own context on purpose\n"
    "  --list               name the probes\n"
    "  --print-ptx          print the kernels\n"
    "exit: 0 all probes ran, 1 some failed or were skipped, 2 no card or driver, 64 bad usage\n";

struct Options {
    Settings settings;
    std::string json_path;
    std::string only;
    std::string probe;   // this process is the child that runs one probe
    std::string helper;  // this process is a probe's helper
    int deadline_s = 240;
    bool provoke_fault = false;
    bool list = false;
    bool print_ptx = false;
    bool help = false;
};

std::optional<int> parse_count(const char* text) {
    int value = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc() || stop != end || value < 0) return std::nullopt;
    return value;
}

// Nothing, after one line on stderr, where the arguments are wrong.
std::optional<Options> parse(int argc, char** argv) {
    Options options;
    int limit_ms = 0;
    struct Flag {
        const char* name;
        bool* value;
    };
    struct Text {
        const char* name;
        std::string* value;
    };
    struct Count {
        const char* name;
        int* value;
    };
    const Flag flags[] = {{"--quick", &options.settings.quick},
                          {"--provoke-fault", &options.provoke_fault},
                          {"--list", &options.list},
                          {"--print-ptx", &options.print_ptx},
                          {"--help", &options.help}};
    const Text texts[] = {{"--json", &options.json_path},
                          {"--only", &options.only},
                          {"--probe", &options.probe},
                          {"--helper", &options.helper}};
    const Count counts[] = {{"--device", &options.settings.device_ordinal},
                            {"--deadline-s", &options.deadline_s},
                            {"--limit-ms", &limit_ms}};
    const auto named = [](const auto& table, const char* argument) {
        const auto same = [&](const auto& entry) { return std::strcmp(entry.name, argument) == 0; };
        const auto found = std::find_if(std::begin(table), std::end(table), same);
        return found == std::end(table) ? nullptr : found->value;
    };
    for (int i = 1; i < argc; ++i) {
        const char* argument = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (bool* flag = named(flags, argument)) {
            *flag = true;
        } else if (std::string* text = named(texts, argument);
                   text != nullptr && value != nullptr) {
            *text = value;
            ++i;
        } else if (int* count = named(counts, argument);
                   count != nullptr && value != nullptr && parse_count(value)) {
            *count = *parse_count(value);
            ++i;
        } else {
            std::fprintf(stderr, "gpu-probe: cannot use '%s' here; see gpu-probe --help\n",
                         argument);
            return std::nullopt;
        }
    }
    options.settings.deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
    return options;
}

const Probe* find_probe(const std::string& name) {
    for (const Probe& probe : all_probes())
        if (name == probe.name) return &probe;
    return nullptr;
}

// Last words of a child are a row without a name; the parent makes them the probe's reason.
int run_as_child(const Options& options) {
    Reporter report(CHILD_FD);
    const Probe* probe = find_probe(options.probe);
    if (probe == nullptr) return EXIT_USAGE;
    try {
        load_driver();
    } catch (const std::exception& failed) {
        report.unavailable("", failed.what());
        return EXIT_NO_CARD;
    }
    try {
        probe->run(options.settings, report);
        // A fault is sticky: rows that failed behind it show only the first one's error.
        const Status end = load_driver().context_synchronize.raw();
        if (end == 0 || end == STATUS_INVALID_CONTEXT || probe->provokes_fault)
            return EXIT_ALL_ANSWERED;
        throw CallFailed("the context ended broken; cuCtxSynchronize", end);
    } catch (const std::exception& failed) {
        report.unavailable("", failed.what());
        return EXIT_PROBE_FAILED;
    }
}

int run_as_helper(const Options& options) {
    if (options.helper == "injection-target") return run_injection_target(CHILD_FD);
    if (options.helper == "export-device")
        return run_exporter(options.settings, Where::device, CHILD_FD);
    if (options.helper == "export-host-numa")
        return run_exporter(options.settings, Where::host_numa, CHILD_FD);
    return EXIT_USAGE;
}

// The probes to run, in order. Nothing, after one line, where a name is unknown.
std::optional<std::vector<Probe>> chosen_probes(const Options& options) {
    std::vector<Probe> chosen;
    if (options.only.empty()) {
        for (const Probe& probe : all_probes())
            if (!probe.provokes_fault || options.provoke_fault) chosen.push_back(probe);
        return chosen;
    }
    for (size_t at = 0; at <= options.only.size();) {
        const size_t end = std::min(options.only.find(',', at), options.only.size());
        const std::string name = options.only.substr(at, end - at);
        const Probe* probe = find_probe(name);
        if (probe == nullptr || (probe->provokes_fault && !options.provoke_fault)) {
            std::fprintf(stderr, "gpu-probe: cannot run probe '%s': %s\n", name.c_str(),
                         probe == nullptr ? "no such probe; see gpu-probe --list"
                                          : "it faults on purpose; add --provoke-fault");
            return std::nullopt;
        }
        chosen.push_back(*probe);
        at = end + 1;
    }
    return chosen;
}

int run_all(const Options& options, const std::vector<Probe>& probes) {
    const auto begin = std::chrono::steady_clock::now();
    const auto deadline = begin + std::chrono::seconds(options.deadline_s);
    std::vector<ProbeResult> results;
    bool all_ran = true;
    for (const Probe& probe : probes) {
        // With less than 6 s a probe could only be started and ended.
        if (std::chrono::steady_clock::now() + std::chrono::seconds(6) > deadline) {
            results.push_back({probe.name,
                               probe.question,
                               "skipped",
                               "the total deadline has come; raise --deadline-s",
                               0,
                               {}});
        } else {
            results.push_back(run_probe(probe, options.settings, deadline));
        }
        const ProbeResult& result = results.back();
        if (result.status == "no_card") {
            std::fprintf(stderr, "gpu-probe: %s\n", result.reason.c_str());
            return EXIT_NO_CARD;
        }
        print_table(result);
        all_ran = all_ran && result.status == "ok";
    }
    const double elapsed_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("\n%.1f s in all\n", elapsed_s);
    if (!options.json_path.empty() &&
        !write_json(options.json_path, results, options.settings.quick, elapsed_s)) {
        std::fprintf(stderr, "gpu-probe: cannot write %s: %s; name a file in a writable folder\n",
                     options.json_path.c_str(), std::strerror(errno));
        return EXIT_PROBE_FAILED;
    }
    return all_ran ? EXIT_ALL_ANSWERED : EXIT_PROBE_FAILED;
}

int run(int argc, char** argv) {
    const std::optional<Options> options = parse(argc, argv);
    if (!options) return EXIT_USAGE;
    if (!options->probe.empty()) return run_as_child(*options);
    if (!options->helper.empty()) return run_as_helper(*options);
    if (options->help) {
        std::fputs(HELP, stdout);
        return EXIT_ALL_ANSWERED;
    }
    if (options->print_ptx) {
        std::fputs(KERNEL_PTX, stdout);
        return EXIT_ALL_ANSWERED;
    }
    if (options->list) {
        for (const Probe& probe : all_probes())
            std::printf("%-14s %s\n", probe.name, probe.question);
        return EXIT_ALL_ANSWERED;
    }
    const std::optional<std::vector<Probe>> probes = chosen_probes(*options);
    return probes ? run_all(*options, *probes) : EXIT_USAGE;
}

}  // namespace

}  // namespace ciuic::probe

int main(int argc, char** argv) { return ciuic::probe::run(argc, argv); }
