// SPDX-License-Identifier: Apache-2.0
//
// Access log: the uses that a client declares, written where the engine reads them, without a
// message. What policy learns order from, hits included.
//
// A lossy ring of ranges in memory that both map: a client that is ahead by more than the ring
// holds overwrites what was not read yet, and the engine goes on with what is newer. Entries carry
// a part of their position, so that one that is not written yet, or not any more, is not taken for
// another. Each word is read once; what it names is the engine's to check.
//
// Threads: any that write; one that reads.
#pragma once

#include "limits.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace ciuic {

struct AccessLog {
    std::atomic<uint32_t> written{0};  // entries, ever; wraps
    std::array<uint32_t, 15> padding{};
    std::array<std::atomic<uint64_t>, limits::access_log_entries> entries{};

    // Chunks first .. first + count - 1 are used, in order; 1 <= count <= session_chunks_max.
    // Returns the entry's position.
    uint32_t append(uint32_t first, uint32_t count, bool is_write);
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

struct DeclaredUse {
    uint32_t chunk = 0;
    bool is_write = false;
};

class AccessLogReader {
public:
    AccessLogReader() = default;
    explicit AccessLogReader(const AccessLog* log) : log_(log) {}

    // The next use, chunk by chunk. None: there is no more for now.
    std::optional<DeclaredUse> next();

    uint64_t lost() const { return lost_; }  // entries that were overwritten before they were read

private:
    bool take_entry();

    const AccessLog* log_ = nullptr;
    uint32_t position_ = 0;
    uint64_t lost_ = 0;
    // What is left of the entry that was read last.
    uint32_t first_ = 0;
    uint32_t left_ = 0;
    bool is_write_ = false;
};

}  // namespace ciuic
