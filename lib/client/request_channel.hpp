// SPDX-License-Identifier: Apache-2.0
//
// Request channel: a thread asks the engine for something and waits for the answer.
//
// A request names one of 64 reply slots, which belongs to the asking thread until the answer is
// there. A slot whose answer did not come in time stays taken: the answer might still come, and
// would be taken for somebody else's.
//
// Threads: any. The lock is held for the writing of one ring entry, in memory that is always
// present; the engine never takes it.
#pragma once

#include "client/connection.hpp"
#include "protocol/request_ring.hpp"

#include <array>
#include <atomic>
#include <mutex>

namespace ciuic {

class RequestChannel {
public:
    explicit RequestChannel(Connection& connection);

    // Errors: those of the engine; disconnected (it is gone), timed_out (no answer, or no free
    // slot, within limits::request_deadline).
    Status call(wire::RequestKind kind, uint32_t first_chunk, uint32_t chunks);
    // Has the engine look at what there is, if it sleeps.
    void wake_engine();

private:
    void ring();
    Result<uint32_t> take_slot(Nanos end);
    void give_back(uint32_t slot);
    Status wait_for(uint32_t slot, uint32_t sequence, Nanos end);

    Connection& connection_;
    const wire::EnginePage& page_;
    std::mutex mutex_;  // of writer_
    RequestWriter writer_;
    std::atomic<uint64_t> free_slots_{~uint64_t{0}};       // a bit each
    std::atomic<uint32_t> slots_freed_{0};                 // counts; waited on when none is free
    std::array<uint32_t, wire::reply_slots> sequences_{};  // last used; the slot's holder's
    static_assert(wire::reply_slots == 64, "one bit of free_slots_ each");
};

}  // namespace ciuic
