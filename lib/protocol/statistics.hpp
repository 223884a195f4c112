// SPDX-License-Identifier: Apache-2.0
//
// How a session's numbers get to its client: each by itself, so a reader may see some of this turn
// and some of the last.
//
// Threads: one writer.
#pragma once

#include "protocol/wire.hpp"

namespace ciuic {

// `stats`: the engine's SessionStats, whose names these are; this layer does not know it.
template <typename Stats> void put_statistics(wire::Statistics& page, const Stats& stats) {
    const auto put = [](std::atomic<uint64_t>& word, uint64_t value) {
        word.store(value, std::memory_order_relaxed);
    };
    put(page.faults, stats.faults);
    put(page.write_faults, stats.write_faults);
    put(page.stray_touches, stats.stray_touches);
    put(page.fills, stats.fills);
    put(page.fetches, stats.fetches);
    put(page.evictions, stats.evictions);
    put(page.evictions_clean, stats.evictions_clean);
    put(page.recalls, stats.recalls);
    put(page.pieces_in, stats.pieces_in);
    put(page.pieces_out, stats.pieces_out);
    put(page.pieces_written, stats.pieces_written);
    put(page.gathers, stats.gathers);
    put(page.prefetches, stats.prefetches);
    put(page.prefetches_in_order, stats.prefetches_in_order);
    put(page.prefetches_used, stats.prefetches_used);
    put(page.prefetches_wasted, stats.prefetches_wasted);
    put(page.store_bytes_written, stats.store_bytes_written);
    put(page.store_bytes_read, stats.store_bytes_read);
    put(page.tag_failures, stats.tag_failures);
    put(page.write_failures, stats.write_failures);
    put(page.chunks_lost, stats.chunks_lost);
    put(page.waits_expired, stats.waits_expired);
    put(page.stall_ns, stats.stall_ns);
    for (size_t cause = 0; cause < page.bytes_in_by_cause.size(); ++cause)
        put(page.bytes_in_by_cause[cause], stats.bytes_in_by_cause.at(cause));
    put(page.chunks_promised, stats.chunks_promised);
    put(page.chunks_promised_peak, stats.chunks_promised_peak);
    put(page.frames, stats.frames);
    put(page.frames_peak, stats.frames_peak);
}

}  // namespace ciuic
