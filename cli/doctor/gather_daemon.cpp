// SPDX-License-Identifier: Apache-2.0
#include "ciuic/vmm.h"
#include "cli/doctor/gather.hpp"
#include "protocol/wire.hpp"

#include <cstdlib>

namespace ciuic::cli::doctor {

DaemonFacts gather_daemon(const std::string& socket) {
    const char* named = std::getenv("CIUIC_SOCKET");
    DaemonFacts facts;
    facts.socket = socket;
    if (socket.empty()) facts.socket = named ? named : wire::default_socket_path;

    // A session as a program would open it: the only proof that one can be had.
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_DAEMON;
    options.socket_path = facts.socket.c_str();
    options.name = "ciuic doctor";
    ciuic_session* session = nullptr;
    const ciuic_status status = ciuic_open(&options, &session);
    if (status != CIUIC_OK) facts.text = ciuic_last_error_text();
    ciuic_close(session);
    switch (status) {
    case CIUIC_OK: facts.state = DaemonFacts::State::serves; break;
    case CIUIC_E_DISCONNECTED: facts.state = DaemonFacts::State::none; break;
    case CIUIC_E_PERMISSION: facts.state = DaemonFacts::State::closed; break;
    default: facts.state = DaemonFacts::State::refuses;
    }
    return facts;
}

}  // namespace ciuic::cli::doctor
