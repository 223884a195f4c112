// SPDX-License-Identifier: Apache-2.0
//
// From a configuration to a daemon that can be run: the one place of the daemon where adapters are
// chosen.
//
// Threads: one.
#pragma once

#include "daemon/config.hpp"
#include "daemon/report.hpp"
#include "daemon/server.hpp"

#include <memory>
#include <string>

namespace ciuic {

class Daemon {
public:
    virtual ~Daemon() = default;
    virtual Server& server() = 0;
    // As of now.
    virtual std::string report() = 0;
    // When the last turn is over: ends what is being recorded, if anything is.
    virtual void stop_recording() = 0;
};

// Builds everything and listens. `control_fd`: ServerPorts. Where the machine refuses, returns
// nothing and `problem` is one line: what, why, what to do.
std::unique_ptr<Daemon> compose(const DaemonConfig& config, int control_fd, std::string& problem);

}  // namespace ciuic
