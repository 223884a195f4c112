// SPDX-License-Identifier: Apache-2.0
//
// "Sometimes" marks: what a large enough range of seeds must have seen at least once. A simulator
// that never gets where bugs live proves nothing; these say where it has been.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ciuic::sim {

enum class Mark : uint8_t {
    evicted,              // a chunk was written and left
    evicted_clean,        // left without a write
    recalled,             // an eviction was undone
    recalled_in_write,    // ... while its bytes were on their way to the disk
    recalled_in_hash,     // ... while a worker read them
    fetched_after_retry,  // a failed tag, and the bytes came right at a later try
    lost,                 // a program met lost data, loudly
    acquire_lost,         // an acquire ended with data_lost
    wait_expired,         // a touch found no frame before its deadline
    acquire_timed_out,
    doomed_in_fill,  // cleared or discarded in each kind of move
    doomed_in_fetch,
    doomed_in_evict,
    died_in_fill,  // killed in each kind of move
    died_in_fetch,
    died_in_evict,
    died_with_pins,
    index_reused,  // a new session got a dead one's number
    prefetch_used,
    prefetch_wasted,
    prefetch_in_order,  // the order had been learned
    part_shown,         // a block was shown before its chunk
    read_in_part,       // ... and read by the program meanwhile
    write_fault,
    stray_touch,
    pinned_stays,      // an eviction met a pin
    write_refused,     // the disk refused a write for good
    cancelled,         // a late request was cancelled
    session_full,      // a session used all frames it may have
    frames_exhausted,  // no frame was free
    promise_refused,
    acquire_refused,
    request_refused,  // all waiters of a session were in use
    acquire_hit,      // an acquire that needed no request
    acquire_waited,
    poison_lifted,   // a poisoned chunk was cleared or promised anew, and served again
    disconnected,    // the device said that the program is gone
    store_full,      // every place was promised
    closed_with_io,  // a session ended while its bytes were in flight
    piece_in,        // a single block was read back
    piece_clean,     // a piece left without a write
    piece_written,   // a piece's bytes were written over their block
    gathered,        // a chunk was put together with its pieces
    piece_touched,   // the program met a piece that had been taken away for a while
    doomed_in_scatter,
    doomed_in_gather,
    died_in_scatter,
    grown,      // a sparse chunk got another block
    given_way,  // a sparse chunk was fetched whole
    doomed_in_grow,
    died_in_grow,
    kept_old,         // a session's trial found that the newest should go
    back_to_recency,  // ... and later that it should not
    given_up_zeroed,  // a chunk that was filled ahead and not touched yet
    declared_ahead,   // a chunk came ahead of its declared use
};
inline constexpr size_t marks = 55;
static_assert(marks <= 64);
const char* mark_text(Mark mark);

class MarkSet {
public:
    void hit(Mark mark) { bits_ |= uint64_t{1} << static_cast<unsigned>(mark); }
    void add(const MarkSet& more) { bits_ |= more.bits_; }
    bool has(Mark mark) const { return (bits_ >> static_cast<unsigned>(mark)) & 1; }
    uint64_t bits() const { return bits_; }

private:
    uint64_t bits_ = 0;
};

}  // namespace ciuic::sim
