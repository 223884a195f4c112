// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/parts.hpp"

#include "tests/sim/marks.hpp"

#include <numeric>

namespace ciuic::sim {

const char* fault_text(Fault fault) {
    static constexpr std::array<const char*, faults> texts{
        "short_transfer",    "io_error",         "late",          "torn",
        "misdirected_write", "misdirected_read", "rot",           "unreadable",
        "bad_granule",       "open_refused",     "device_busy",   "hidden",
        "duplicate_event",   "late_event",       "spurious_wake", "death",
        "clock_jump"};
    return texts[static_cast<size_t>(fault)];
}

uint64_t FaultCounts::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

const char* mark_text(Mark mark) {
    static constexpr std::array<const char*, marks> texts{"evicted",
                                                          "evicted_clean",
                                                          "recalled",
                                                          "recalled_in_write",
                                                          "recalled_in_hash",
                                                          "fetched_after_retry",
                                                          "lost",
                                                          "acquire_lost",
                                                          "wait_expired",
                                                          "acquire_timed_out",
                                                          "doomed_in_fill",
                                                          "doomed_in_fetch",
                                                          "doomed_in_evict",
                                                          "died_in_fill",
                                                          "died_in_fetch",
                                                          "died_in_evict",
                                                          "died_with_pins",
                                                          "index_reused",
                                                          "prefetch_used",
                                                          "prefetch_wasted",
                                                          "prefetch_in_order",
                                                          "part_shown",
                                                          "read_in_part",
                                                          "write_fault",
                                                          "stray_touch",
                                                          "pinned_stays",
                                                          "write_refused",
                                                          "cancelled",
                                                          "session_full",
                                                          "frames_exhausted",
                                                          "promise_refused",
                                                          "acquire_refused",
                                                          "request_refused",
                                                          "acquire_hit",
                                                          "acquire_waited",
                                                          "poison_lifted",
                                                          "disconnected",
                                                          "store_full",
                                                          "closed_with_io",
                                                          "piece_in",
                                                          "piece_clean",
                                                          "piece_written",
                                                          "gathered",
                                                          "piece_touched",
                                                          "doomed_in_scatter",
                                                          "doomed_in_gather",
                                                          "died_in_scatter",
                                                          "grown",
                                                          "given_way",
                                                          "doomed_in_grow",
                                                          "died_in_grow",
                                                          "kept_old",
                                                          "back_to_recency",
                                                          "given_up_zeroed",
                                                          "declared_ahead"};
    return texts[static_cast<size_t>(mark)];
}

}  // namespace ciuic::sim
