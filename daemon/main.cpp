// SPDX-License-Identifier: Apache-2.0
//
// ciuic-swapd: options, signals, and the loop around the server's turns.
//
// Stopping: the first SIGTERM or SIGINT closes the door; clients that are left would lose their
// memory with their pager, so they are named and served until they have ended. The second stops at
// once.
#include "daemon/compose.hpp"
#include "daemon/log.hpp"
#include "daemon/options.hpp"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace ciuic {
namespace {

constexpr Nanos idle_wait{1'000'000'000};

// Before any thread starts, so that all of them inherit it.
UniqueFd take_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

void write_report_file(Daemon& daemon, const std::string& path) {
    if (path.empty()) return;
    const Status written = write_report(path, daemon.report());
    if (!written)
        log_line("report %s: %s (%s); give --report a path that can be written", path.c_str(),
                 written.error().what, std::strerror(written.error().os_error));
}

// One line with the pids of those that are still served. `ciuic run` stops its daemon when the
// command has ended, and that clients have left may not have been noticed here yet.
void name_running(const Server& server) {
    auto running = server.running();
    std::erase_if(running, [](const auto* session) { return !session->is_client_there(); });
    if (running.empty()) return;
    std::string pids;
    for (const ClientSession* session : running) {
        if (pids.size() > 300) {
            pids += " ...";
            break;
        }
        pids += " " + std::to_string(session->pid());
    }
    log_line("stopping when %zu client(s) have ended, whose memory is here:%s; a second signal "
             "stops at once and fails them",
             running.size(), pids.c_str());
}

// Tells whoever started this process that clients can connect.
bool announce(int ready_fd) {
    if (ready_fd < 0) return true;
    const bool told = ::write(ready_fd, "R", 1) == 1;
    ::close(ready_fd);
    return told;
}

// False: cut short by a second request to stop.
bool serve(Daemon& daemon, int signals, const std::string& report_path) {
    Server& server = daemon.server();
    while (server.turn(idle_wait)) {
        signalfd_siginfo signal;
        while (::read(signals, &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo == SIGUSR1) {
                write_report_file(daemon, report_path);
                continue;
            }
            if (server.is_stopping()) return false;
            server.stop();
            name_running(server);
        }
    }
    return true;
}

int run(int argc, char** argv) {
    const ParsedOptions parsed = parse_options(argc, argv);
    std::fputs(parsed.output.c_str(), stdout);
    for (const std::string& line : parsed.problems)
        std::fprintf(stderr, "ciuic-swapd: %s\n", line.c_str());
    if (!parsed.proceed) return static_cast<int>(parsed.exit_code);
    const DaemonOptions& options = parsed.options;

    const UniqueFd signals = take_signals();
    if (options.exit_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    std::string problem;
    const auto daemon = compose(options.config, signals.get(), problem);
    if (!daemon) {
        std::fprintf(stderr, "ciuic-swapd: %s\n", problem.c_str());
        return static_cast<int>(ExitCode::failed);
    }
    if (!announce(options.ready_fd)) {
        std::fprintf(stderr, "ciuic-swapd: --ready-fd: nobody waits there any more; start again\n");
        return static_cast<int>(ExitCode::failed);
    }
    const bool finished = serve(*daemon, signals.get(), options.config.report);
    ::unlink(options.config.socket.c_str());
    daemon->stop_recording();
    write_report_file(*daemon, options.config.report);
    if (finished) return static_cast<int>(ExitCode::ok);
    // Transfers may be under way into what a destructor would take from under them.
    const bool abandoned = !daemon->server().running().empty();
    ::_exit(static_cast<int>(abandoned ? ExitCode::abandoned : ExitCode::ok));
}

}  // namespace
}  // namespace ciuic

int main(int argc, char** argv) { return ciuic::run(argc, argv); }
