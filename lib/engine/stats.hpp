// SPDX-License-Identifier: Apache-2.0
//
// What the engine counts, per session. Totals are sums of these.
#pragma once

#include "residency/cause.hpp"

#include <array>
#include <cstdint>

namespace ciuic {

struct SessionStats {
    uint64_t faults = 0;               // touches that waited, as the device reported them
    uint64_t write_faults = 0;         // first writes to chunks shown read-only
    uint64_t stray_touches = 0;        // touches outside every region; answered with a failure
    uint64_t fills = 0;                // chunks that got a zeroed frame
    uint64_t fetches = 0;              // chunks read back from the store
    uint64_t evictions = 0;            // chunks that left the device
    uint64_t evictions_clean = 0;      // of these, without a write: the store copy was still valid
    uint64_t recalls = 0;              // evictions undone because the program came back
    uint64_t pieces_in = 0;            // single blocks read back for chunks touched here and there
    uint64_t pieces_out = 0;           // of these, gone again
    uint64_t pieces_written = 0;       // of the gone, changed: written to the store
    uint64_t gathers = 0;              // fetches that put a chunk together with its pieces
    uint64_t prefetches = 0;           // fetches started ahead of a touch
    uint64_t prefetches_in_order = 0;  // of these, in an order that the session repeats
    uint64_t prefetches_used = 0;      // of all, touched later
    uint64_t prefetches_wasted = 0;    // of all, taken back untouched
    uint64_t store_bytes_written = 0;
    uint64_t store_bytes_read = 0;
    uint64_t tag_failures = 0;    // reads whose bytes failed their tag (before any repeat)
    uint64_t write_failures = 0;  // writes that the store refused for good
    uint64_t chunks_lost = 0;
    uint64_t waits_expired = 0;  // touches that got no frame in time; answered with a failure
    uint64_t stall_ns = 0;       // sum over chunks of the time the program waited for them
    std::array<uint64_t, causes> bytes_in_by_cause{};  // fetched and filled

    uint32_t chunks_promised = 0;  // now
    uint32_t chunks_promised_peak = 0;
    uint32_t frames = 0;  // now
    uint32_t frames_peak = 0;

    // Sums, peaks included: an upper bound of the peak over several sessions.
    void add(const SessionStats& other);
};

}  // namespace ciuic
