// SPDX-License-Identifier: Apache-2.0
//
// The client's end of a connection to a server in the same thread: it says and writes whatever a
// test likes, and waits for nothing.
//
// Threads: one.
#pragma once

#include "base/check.hpp"
#include "protocol/request_ring.hpp"
#include "protocol/socket.hpp"

#include <unistd.h>

#include <utility>

namespace ciuic::test {

struct ServedClient {
    UniqueFd socket;
    wire::Welcome welcome;
    ReceivedFds fds;
    EngineSegment engine;
    ClientSegment segment;
    uint32_t pushed = 0;

    template <typename T> void say(const T& message, std::span<const int> with = {}) {
        CIUIC_CHECK(send_message(socket.get(), message, with, Nanos{0}).has_value());
    }
    int fd(wire::WelcomeFd which) const { return fds.fds[static_cast<size_t>(which)].get(); }
    Errc receive_welcome() {
        return receive_message(socket.get(), welcome, fds, Nanos{0}).error().code;
    }
    void map() {
        const SegmentShape shape{welcome.address_chunks, welcome.chunk_bytes};
        auto engine_mapped = EngineSegment::map(fd(wire::WelcomeFd::engine_segment), shape);
        auto client_mapped = ClientSegment::map(fd(wire::WelcomeFd::client_segment), shape);
        CIUIC_CHECK(engine_mapped.has_value() && client_mapped.has_value());
        engine = std::move(*engine_mapped);
        segment = std::move(*client_mapped);
    }
    void push(const wire::Request& request) {
        segment.ring()[pushed % limits::ring_entries].put(request);
        segment.request_tail().put(++pushed, std::memory_order_release);
    }
    // The request's number, after which its slot and sequence are named.
    uint32_t ask(wire::RequestKind kind, uint32_t first, uint32_t count) {
        push({.kind = kind,
              .slot = pushed % wire::reply_slots,
              .sequence = pushed + 1,
              .first_chunk = first,
              .chunks = count});
        return pushed;
    }
    void ring() {
        const uint64_t one = 1;
        CIUIC_CHECK(::write(fd(wire::WelcomeFd::doorbell), &one, sizeof one) == sizeof one);
    }
    bool is_answered(uint32_t number) const {
        return reply(number).sequence.load(std::memory_order_acquire) == number;
    }
    Errc answer(uint32_t number) const {
        return static_cast<Errc>(reply(number).result.load(std::memory_order_relaxed));
    }
    const wire::ReplySlot& reply(uint32_t number) const {
        return std::as_const(engine).page().replies[(number - 1) % wire::reply_slots];
    }
};

}  // namespace ciuic::test
