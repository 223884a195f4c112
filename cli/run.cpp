// SPDX-License-Identifier: Apache-2.0
#include "cli/run.hpp"

#include "ciuic/vmm.h"
#include "cli/command.hpp"
#include "cli/private_daemon.hpp"
#include "cli/summary.hpp"
#include "cli/target.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace ciuic::cli {
namespace {

namespace fs = std::filesystem;

void say(const std::string& line) { std::fprintf(stderr, "ciuic: %s\n", line.c_str()); }

int refuse(const std::string& line) {
    say(line);
    return exit_refused;
}

// Of this program, as installed or as built.
fs::path own_directory() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error).parent_path();
}

// CIUIC_PRELOAD and CIUIC_SWAPD stand in for the parts of this installation: for tests.
std::string daemon_program() {
    const char* named = std::getenv("CIUIC_SWAPD");
    return named ? named : (own_directory() / "ciuic-swapd").string();
}

std::string preload_library() {
    if (const char* named = std::getenv("CIUIC_PRELOAD")) return named;
    const fs::path above = own_directory().parent_path();
    for (const char* place : {"lib/ciuic/libciuic_run.so", "lib/libciuic_run.so"})
        if (fs::exists(above / place)) return (above / place).string();
    return {};
}

std::string check_preload(const std::string& library) {
    if (library.empty()) return "libciuic_run.so is not where this installation keeps it";
    if (::access(library.c_str(), R_OK) != 0)
        return library + " cannot be read (" + std::strerror(errno) + ")";
    if (library.find_first_of(" :") != std::string::npos)
        return library + ": the path of a preloaded library can have neither a space nor a colon";
    return {};
}

// Opens a session as the command will. Empty: that works.
std::string try_session(const std::string& socket) {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_DAEMON;
    options.socket_path = socket.empty() ? nullptr : socket.c_str();
    options.name = "ciuic preflight";
    ciuic_session* session = nullptr;
    const ciuic_status status = ciuic_open(&options, &session);
    ciuic_close(session);
    if (status == CIUIC_OK) return {};
    if (status == CIUIC_E_DISCONNECTED)
        return "no daemon is running; start ciuic-swapd, or give --budget to start one for this "
               "command alone";
    std::string problem = ciuic_last_error_text();
    if (status == CIUIC_E_UNSUPPORTED || status == CIUIC_E_PERMISSION)
        problem += "; `ciuic doctor` has the commands";
    return problem;
}

void set_environment(const RunOptions& options, const std::string& library,
                     const std::string& socket) {
    const char* before = std::getenv("LD_PRELOAD");
    const std::string preload = library + (before && *before ? std::string(":") + before : "");
    ::setenv("LD_PRELOAD", preload.c_str(), 1);
    if (!socket.empty()) ::setenv("CIUIC_SOCKET", socket.c_str(), 1);
    if (options.threshold_bytes != 0)
        ::setenv("CIUIC_THRESHOLD", std::to_string(options.threshold_bytes).c_str(), 1);
    if (options.serve_mmap) ::setenv("CIUIC_MMAP", "1", 1);
    if (options.strict) ::setenv("CIUIC_STRICT", "1", 1);
}

// Serves signals until the command has ended, then until the daemon has.
int wait_for_both(pid_t command, PrivateDaemon* daemon, const TakenSignals& signals) {
    int command_status = 0;
    bool command_ended = false;
    while (!command_ended || (daemon && daemon->pid() > 0)) {
        const siginfo_t signal = signals.wait();
        if (signal.si_signo != SIGCHLD) {
            if (command_ended)
                daemon->ask_to_stop();
            else if (was_sent(signal))
                ::kill(command, signal.si_signo);
            continue;
        }
        int status = 0;
        for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            if (ended == command) {
                command_ended = true;
                command_status = status;
                if (daemon) daemon->ask_to_stop();
            } else if (daemon && ended == daemon->pid()) {
                daemon->note_end();
                if (!command_ended) say("the daemon has ended before the command");
            }
        }
    }
    return command_status;
}

int cannot_start(const std::string& name, int os_error) {
    say(name + ": " + std::strerror(os_error) + "; nothing was run");
    return os_error == ENOENT ? exit_not_found : exit_not_executable;
}

// Where the command's memory will be managed from.
struct Preparation {
    std::string problem;  // why it cannot be; empty: it can
    bool is_usage = false;
    std::string library;
    std::unique_ptr<PrivateDaemon> daemon;  // none: one that runs already
    std::string socket;
};

Preparation prepare(const RunOptions& options, const Target& target, const TakenSignals& signals) {
    Preparation made;
    if (!target.objection.empty()) {
        made.problem = target.objection;
        return made;
    }
    made.library = preload_library();
    made.socket = options.socket;
    made.problem = check_preload(made.library);
    if (!made.problem.empty()) return made;
    if (!options.budget.empty()) {
        auto started = PrivateDaemon::start(options, daemon_program(), signals.original_mask());
        made.problem = started.problem;
        made.is_usage = started.outcome == PrivateDaemon::Outcome::usage;
        made.daemon = std::move(started.daemon);
        if (!made.daemon) return made;
        made.socket = made.daemon->socket();
    }
    made.problem = try_session(made.socket);
    if (!made.problem.empty()) made.daemon.reset();
    return made;
}

}  // namespace

int run(RunOptions options) {
    if (const std::string wrong = check_run_options(options); !wrong.empty()) return refuse(wrong);
    const std::string& name = options.command.front();
    const Target target = find_target(name);
    if (target.path.empty()) return cannot_start(name, target.os_error);

    const TakenSignals signals;
    Preparation prepared = prepare(options, target, signals);
    if (prepared.is_usage) return exit_refused;
    if (prepared.problem.empty())
        set_environment(options, prepared.library, prepared.socket);
    else if (options.strict)
        return refuse("cannot manage the memory of " + name + ": " + prepared.problem +
                      "; not running it, as --strict asks");
    else
        say("the memory of " + name + " is not managed: " + prepared.problem);

    const CommandStart started = start_command(target.path, options.command, signals);
    if (started.pid == 0) return cannot_start(name, started.os_error);
    const int status = wait_for_both(started.pid, prepared.daemon.get(), signals);
    if (prepared.daemon && options.summary)
        std::fputs(summarize_report(prepared.daemon->report()).c_str(), stderr);
    prepared.daemon.reset();
    if (status == 0 && !options.record.empty() && !fs::exists(options.record))
        return refuse("there is no trace (the daemon's line above says why)");
    end_like(status);
}

}  // namespace ciuic::cli
