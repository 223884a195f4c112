// SPDX-License-Identifier: Apache-2.0
//
// The space port: where a session's memory file comes from, and how the client's half of it is
// joined to the device. The device itself ends a space (Device::detach).
//
// Adapters: compose.cpp (the shared host device), and the tests' own.
// Threads: one, the engine's.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"

#include <cstdint>
#include <optional>

namespace ciuic {

// What a session's client did to its memory file that none may do.
struct SpaceBreach {
    SessionIndex session;
    const char* what = "";
};

class Spaces {
public:
    virtual ~Spaces() = default;

    // A memory file of `chunks` chunks for the session. The descriptor stays the port's own.
    // Errors: no_memory, io.
    virtual Result<int> make_space(SessionIndex session, uint32_t chunks) = 0;

    // The client has mapped the file at `client_base_address` and registered it on `uffd`: its own
    // words, which are checked here. Errors: invalid, unsupported, disconnected, io.
    virtual Status attach(SessionIndex session, UniqueFd uffd, uint64_t client_base_address) = 0;

    // A forked child of an attached client wants to read the space, mapped and registered likewise.
    // Its number, until the device is told to detach the session. Errors: as for attach(),
    // no_memory.
    virtual Result<uint32_t> add_reader(SessionIndex session, UniqueFd uffd,
                                        uint64_t base_address) = 0;
    virtual void remove_reader(SessionIndex session, uint32_t reader) = 0;
    // False: the process has ended, or has become another program.
    virtual bool is_reader_alive(SessionIndex session, uint32_t reader) const = 0;

    // Looked at in every turn. A session is named once.
    virtual std::optional<SpaceBreach> next_breach() = 0;
};

}  // namespace ciuic
