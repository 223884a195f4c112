// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.hpp"

#include <CLI/CLI.hpp>

#include <utility>

#ifndef CIUIC_VERSION
#define CIUIC_VERSION "unknown"
#endif

namespace ciuic {
namespace {

constexpr const char* description =
    "Keeps the hot memory of many programs within a budget, and the rest in a swap file.\n"
    "A size is a number of bytes, or like 256MiB, 6GiB, 1.5GiB.";
constexpr const char* footer =
    "Signals: SIGTERM and SIGINT stop the daemon once its clients have ended, a second one at once "
    "(clients that are left get SIGBUS where they touch absent memory); SIGUSR1 writes the "
    "report.\n"
    "Exit codes: 0 stopped as asked; 1 could not start or go on; 2 wrong command line or "
    "configuration; 3 stopped while clients were left.";

ParsedOptions ended(ExitCode code, std::string output, std::vector<std::string> problems) {
    ParsedOptions parsed;
    parsed.exit_code = code;
    parsed.output = std::move(output);
    parsed.problems = std::move(problems);
    return parsed;
}

// Only settings without a complaint have been set.
std::vector<std::string> apply_settings(const std::vector<std::string>& texts, const CLI::App& app,
                                        DaemonConfig& config) {
    std::vector<std::string> problems;
    for (size_t index = 0; index < settings().size(); ++index) {
        const Setting& setting = settings()[index];
        if (app.count(setting.option) == 0) continue;
        const std::string complaint = setting.set(config, texts[index]);
        if (!complaint.empty())
            problems.push_back(std::string(setting.option) + " " + texts[index] + ": " + complaint);
    }
    return problems;
}

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv) {
    ParsedOptions parsed;
    std::string config_path;
    std::string checked_path;
    std::vector<std::string> texts(settings().size());
    CLI::App app(description, "ciuic-swapd");
    app.footer(footer);
    app.set_version_flag("--version", "ciuic-swapd " CIUIC_VERSION);
    app.add_option("--config", config_path, "read settings from this TOML file; options win");
    app.add_option("--check-config", checked_path, "say whether this file is good, and end");
    for (size_t index = 0; index < settings().size(); ++index) {
        const Setting& setting = settings()[index];
        app.add_option(setting.option, texts[index], setting.help)
            ->group(std::string("Settings, [") + setting.section + "] in the file");
    }
    app.add_option("--ready-fd", parsed.options.ready_fd,
                   "write one byte \"R\" to this descriptor once clients can connect");
    app.add_flag("--exit-with-parent", parsed.options.exit_with_parent,
                 "stop, as on SIGTERM, when the parent process ends");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return ended(ExitCode::ok, app.help(), {});
    } catch (const CLI::CallForVersion&) {
        return ended(ExitCode::ok, "ciuic-swapd " CIUIC_VERSION "\n", {});
    } catch (const CLI::ParseError& error) {
        return ended(ExitCode::usage, {}, {std::string(error.what()) + "; see ciuic-swapd --help"});
    }
    DaemonConfig& config = parsed.options.config;
    const std::string& file = checked_path.empty() ? config_path : checked_path;
    if (!file.empty()) parsed.problems = read_config_file(file, config);
    for (std::string& problem : apply_settings(texts, app, config))
        parsed.problems.push_back(std::move(problem));
    if (parsed.problems.empty()) parsed.problems = check_config(config);
    if (!parsed.problems.empty()) return ended(ExitCode::usage, {}, std::move(parsed.problems));
    if (!checked_path.empty()) return ended(ExitCode::ok, "ok\n", {});
    parsed.proceed = true;
    return parsed;
}

}  // namespace ciuic
