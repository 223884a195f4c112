// SPDX-License-Identifier: Apache-2.0
//
// Where a session's engine runs, as the rest of the client sees it: the two segments that are
// shared with the engine, a doorbell, and whether anybody is still there to answer.
//
// Embedded and remote sessions differ in nothing else: the engine's thread of an embedded session
// reads the same ring and writes the same words as the daemon does.
//
// Not here: requests (request_channel), addresses (session).
#pragma once

#include "base/result.hpp"
#include "protocol/segment.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

struct AccessLog;

class Connection {
public:
    struct Facts {
        uint32_t mode = 0;  // CIUIC_MODE_DAEMON or CIUIC_MODE_EMBEDDED
        std::span<std::byte> space;
        uint64_t chunk_bytes = 0;
        uint32_t chunks = 0;      // of the space
        uint32_t frames_max = 0;  // most chunks on the device at once; 0: only the engine knows
        uint32_t pieces = 0;      // single blocks on the device besides, of piece_bytes each
        uint64_t piece_bytes = 0;
        int doorbell = -1;                   // eventfd
        AccessLog* declared_uses = nullptr;  // none: the program does not declare them
    };

    // Ends the session; returns when nothing touches the space any more.
    virtual ~Connection() = default;

    virtual const Facts& facts() const = 0;
    virtual EngineSegment& engine_segment() = 0;
    virtual ClientSegment& client_segment() = 0;

    // False once requests will never be answered again. Any thread.
    virtual bool is_alive() const = 0;

    // In a forked child, where nothing is mapped at the space: makes what the parent has there
    // readable, if that can be had, and closes what the child has inherited. The object is never
    // used again, not even destroyed: its threads and mappings are the parent's.
    virtual void leave_to_parent() = 0;
};

}  // namespace ciuic
