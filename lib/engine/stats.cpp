// SPDX-License-Identifier: Apache-2.0
#include "engine/stats.hpp"

namespace ciuic {

void SessionStats::add(const SessionStats& other) {
    faults += other.faults;
    write_faults += other.write_faults;
    stray_touches += other.stray_touches;
    fills += other.fills;
    fetches += other.fetches;
    evictions += other.evictions;
    evictions_clean += other.evictions_clean;
    recalls += other.recalls;
    prefetches += other.prefetches;
    prefetches_in_order += other.prefetches_in_order;
    prefetches_used += other.prefetches_used;
    pieces_in += other.pieces_in;
    pieces_out += other.pieces_out;
    pieces_written += other.pieces_written;
    gathers += other.gathers;
    prefetches_wasted += other.prefetches_wasted;
    store_bytes_written += other.store_bytes_written;
    store_bytes_read += other.store_bytes_read;
    tag_failures += other.tag_failures;
    write_failures += other.write_failures;
    chunks_lost += other.chunks_lost;
    waits_expired += other.waits_expired;
    stall_ns += other.stall_ns;
    for (size_t cause = 0; cause < causes; ++cause)
        bytes_in_by_cause[cause] += other.bytes_in_by_cause[cause];
    chunks_promised += other.chunks_promised;
    chunks_promised_peak += other.chunks_promised_peak;
    frames += other.frames;
    frames_peak += other.frames_peak;
}

}  // namespace ciuic
