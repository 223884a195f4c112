// SPDX-License-Identifier: Apache-2.0
#include "client/request_channel.hpp"

#include "base/clock.hpp"
#include "client/futex.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>

namespace ciuic {

namespace {

// How often a waiting thread looks whether the engine is still there.
constexpr Nanos look_interval{100'000'000};

Nanos now() { return MonotonicClock().now(); }

constexpr Error no_answer{Errc::timed_out, 0, "the engine did not answer within 120 s"};
static_assert(limits::request_deadline == Nanos{120'000'000'000});

}  // namespace

RequestChannel::RequestChannel(Connection& connection)
    : connection_(connection), page_(connection.engine_segment().page()),
      writer_(connection.client_segment(), connection.engine_segment()) {}

Status RequestChannel::call(wire::RequestKind kind, uint32_t first_chunk, uint32_t chunks) {
    const Nanos end = now() + limits::request_deadline;
    CIUIC_TRY(const uint32_t slot, take_slot(end));
    const wire::Request request{.kind = kind,
                                .slot = slot,
                                .sequence = ++sequences_[slot],
                                .first_chunk = first_chunk,
                                .chunks = chunks};
    bool engine_sleeps = false;
    {
        const std::lock_guard lock(mutex_);
        engine_sleeps = writer_.push(request);
    }
    if (engine_sleeps) ring();
    const Status answer = wait_for(slot, request.sequence, end);
    const Errc code = answer.error().code;
    if (code != Errc::timed_out || page_.replies[slot].sequence.load() == request.sequence)
        give_back(slot);
    return answer;
}

void RequestChannel::ring() {
    // Refused only when the counter is full: then it is readable anyway.
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = ::write(connection_.facts().doorbell, &one, sizeof one);
}

void RequestChannel::wake_engine() {
    if (page_.sleeping.load(std::memory_order_seq_cst) != 0) ring();
}

Result<uint32_t> RequestChannel::take_slot(Nanos end) {
    for (;;) {
        const uint32_t freed = slots_freed_.load(std::memory_order_acquire);
        uint64_t free = free_slots_.load(std::memory_order_relaxed);
        while (free != 0) {
            const int slot = std::countr_zero(free);
            if (free_slots_.compare_exchange_weak(free, free & (free - 1),
                                                  std::memory_order_acquire))
                return static_cast<uint32_t>(slot);
        }
        if (!connection_.is_alive()) return Error{Errc::disconnected, 0, "the engine is gone"};
        if (now() >= end) return no_answer;
        futex_wait(slots_freed_, freed, look_interval);
    }
}

void RequestChannel::give_back(uint32_t slot) {
    const uint64_t before = free_slots_.fetch_or(uint64_t{1} << slot, std::memory_order_release);
    slots_freed_.fetch_add(1, std::memory_order_release);
    if (before == 0) futex_wake_all(slots_freed_);
}

Status RequestChannel::wait_for(uint32_t slot, uint32_t sequence, Nanos end) {
    const wire::ReplySlot& reply = page_.replies[slot];
    for (;;) {
        const uint32_t seen = reply.sequence.load(std::memory_order_acquire);
        if (seen == sequence) {
            const auto code = static_cast<Errc>(reply.result.load(std::memory_order_relaxed));
            if (code == Errc::ok) return {};
            return Error{code, 0, errc_text(code)};
        }
        const Nanos left = end - now();
        if (left <= Nanos{0}) return no_answer;
        futex_wait(reply.sequence, seen, std::min(left, look_interval));
        // An answer given before the end still counts: look once more after the engine is gone.
        if (!connection_.is_alive() && reply.sequence.load(std::memory_order_acquire) != sequence)
            return Error{Errc::disconnected, 0, "the engine is gone"};
    }
}

}  // namespace ciuic
