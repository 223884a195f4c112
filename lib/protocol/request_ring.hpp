// SPDX-License-Identifier: Apache-2.0
//
// The request ring: how a client's requests reach the daemon without a system call.
//
// One writer (the client, under its own mutex) and one reader (the daemon). The tail, in shared
// memory, counts requests ever added; the head counts requests ever taken and is the reader's own.
// A client has at most reply_slots (64) requests without a reply, each in the ring at most once, so
// an honest one never has more than ring_entries (256) in it; more ends the session.
//
// Memory ordering:
//   entry    written before the tail's release store; read after the tail's acquire load.
//   sleeping the writer stores the tail, then reads `sleeping`; the reader stores `sleeping`, then
//            reads the tail. All four are sequentially consistent, so at least one of the two sees
//            the other's store: either the writer rings, or the reader stays awake. (No fences:
//            ThreadSanitizer does not know them.)
//   reply    the result is stored before the sequence number's release store; read after its
//            acquire load.
//
// Threads: one per side; the client's is whoever holds its mutex. No heap, nothing blocks.
#pragma once

#include "protocol/segment.hpp"

#include <algorithm>

namespace ciuic {

class RequestWriter {
public:
    RequestWriter(ClientSegment& client, const EngineSegment& engine)
        : ring_(client.ring()), tail_(&client.request_tail()), sleeping_(&engine.page().sleeping) {}

    // True: the daemon sleeps; ring the doorbell.
    bool push(const wire::Request& request) {
        ring_[count_ % limits::ring_entries].put(request);
        tail_->put(++count_, std::memory_order_seq_cst);
        return sleeping_->load(std::memory_order_seq_cst) != 0;
    }

private:
    ClientSegment::Ring ring_;
    Hostile<uint32_t>* tail_;
    const std::atomic<uint32_t>* sleeping_;
    uint32_t count_ = 0;  // the truth; the tail is its copy
};

class RequestReader {
public:
    explicit RequestReader(ClientSegment& client)
        : ring_(client.ring()), tail_(&client.request_tail()) {}

    // Takes up to requests.size() requests, oldest first; returns how many. Error: invalid (the
    // tail is further ahead than the ring is long: the client lies, or has overrun itself).
    Result<uint32_t> pop(std::span<wire::Request> requests) {
        const uint32_t waiting = tail_->fetch(std::memory_order_acquire) - head_;
        if (waiting > limits::ring_entries)
            return Error{Errc::invalid, 0, "the request ring holds more than it can"};
        const uint32_t taken = std::min(waiting, static_cast<uint32_t>(requests.size()));
        for (uint32_t index = 0; index < taken; ++index)
            requests[index] = ring_[head_++ % limits::ring_entries].fetch();
        return taken;
    }

    // Also for the daemon that has just announced its sleep.
    bool is_empty() const { return tail_->fetch(std::memory_order_seq_cst) == head_; }

private:
    ClientSegment::Ring ring_;
    Hostile<uint32_t>* tail_;
    uint32_t head_ = 0;
};

}  // namespace ciuic
