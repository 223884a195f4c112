// SPDX-License-Identifier: Apache-2.0
//
// A ciuic-swapd for one command: started before it, stopped in order after it.
//
// Its socket lies in a directory of its own, which goes with it. It leads a session of its own, so
// that a ^C at the terminal is the command's business and not its pager's.
//
// Threads: one.
#pragma once

#include "cli/run_options.hpp"

#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <string>

namespace ciuic::cli {

class PrivateDaemon {
public:
    enum class Outcome {
        started,
        usage,   // it refused its options, and has said why
        failed,  // `problem` says why, or the daemon has
    };
    struct Started {
        Outcome outcome = Outcome::failed;
        std::string problem;
        std::unique_ptr<PrivateDaemon> daemon;
    };
    // `mask`: of the signals that it starts with blocked.
    static Started start(const RunOptions& options, const std::string& program,
                         const sigset_t& mask);

    // Where it has not ended yet: asks it to and waits. Removes its directory.
    ~PrivateDaemon();
    PrivateDaemon(const PrivateDaemon&) = delete;
    PrivateDaemon& operator=(const PrivateDaemon&) = delete;

    const std::string& socket() const { return socket_; }
    const std::string& report() const { return report_; }  // empty: none was asked for
    pid_t pid() const { return pid_; }                     // 0: it has ended

    // The first time: to end once its clients have. Again, when it has had time to hear: at once.
    void ask_to_stop();
    // It has been reaped.
    void note_end() { pid_ = 0; }

private:
    PrivateDaemon() = default;

    std::string directory_;
    std::string socket_;
    std::string report_;
    bool report_is_ours_ = false;
    pid_t pid_ = 0;
};

}  // namespace ciuic::cli
