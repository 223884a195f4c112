// SPDX-License-Identifier: Apache-2.0
//
// What programs ask the engine for, and which answers it may give.
#include "tests/sim/sim_clients.hpp"

#include <algorithm>

namespace ciuic::sim {

namespace {

RequestKind kind_of(OpKind kind) {
    switch (kind) {
    case OpKind::acquire: return RequestKind::acquire;
    case OpKind::prefetch: return RequestKind::prefetch;
    case OpKind::evict: return RequestKind::evict;
    case OpKind::clear: return RequestKind::clear;
    case OpKind::discard: return RequestKind::discard;
    default: fail("operation %u asks for nothing", static_cast<unsigned>(kind));
    }
}

bool gives_up(RequestKind kind) {
    return kind == RequestKind::clear || kind == RequestKind::discard;
}

}  // namespace

bool SimClients::all_live(uint32_t program, ChunkRange range) const {
    for (uint32_t chunk = range.first.value; chunk < range.first.value + range.count; ++chunk)
        if (!oracle_.is_live(program, chunk)) return false;
    return true;
}

bool SimClients::any_vacant(uint32_t program, ChunkRange range) const {
    for (uint32_t chunk = range.first.value; chunk < range.first.value + range.count; ++chunk)
        if (oracle_.is_vacant(program, chunk)) return true;
    return false;
}

bool SimClients::request(uint32_t index, uint32_t thread) {
    Program& program = programs_[index];
    const Op& op = program.threads[thread].op;
    const RequestKind kind = kind_of(op.kind);
    const ChunkRange range{ChunkIndex{op.first}, op.count};
    const uint64_t number = next_ticket_++;
    called_ = true;
    const Status accepted = engine_->request(program.session, kind, range, number);
    if (!accepted) {
        check_refusal(index, kind, range, accepted.error().code);
        return false;
    }
    if (any_vacant(index, range))
        fail("program %u: a request for vacant chunks was accepted", index);
    tickets_.push_back({number, index, thread, op.waits, kind, range});
    ++program.requests;
    if (gives_up(kind)) begin_giving_up(index, kind, range);
    return true;
}

void SimClients::check_refusal(uint32_t index, RequestKind kind, ChunkRange range, Errc refusal) {
    switch (refusal) {
    case Errc::busy:
        marks_.hit(Mark::request_refused);
        if (programs_[index].requests < limits::waiters_per_session_max)
            fail("program %u: a request was refused, only %u are waiting", index,
                 programs_[index].requests);
        return;
    case Errc::invalid:
        if (all_live(index, range)) fail("program %u: a request for its chunks is invalid", index);
        return;
    case Errc::no_memory:
        marks_.hit(Mark::acquire_refused);
        if (kind != RequestKind::acquire || range.count <= 1)
            fail("program %u: no memory for a request that needs none", index);
        return;
    default: fail("program %u: a request was refused with %s", index, errc_text(refusal));
    }
}

void SimClients::begin_giving_up(uint32_t index, RequestKind kind, ChunkRange range) {
    const Program& program = programs_[index];
    for (uint32_t chunk = range.first.value; chunk < range.first.value + range.count; ++chunk) {
        switch (static_cast<ChunkState>(program.states[chunk].load() & 0xff)) {
        case ChunkState::filling: marks_.hit(Mark::doomed_in_fill); break;
        case ChunkState::fetching: marks_.hit(Mark::doomed_in_fetch); break;
        case ChunkState::evicting: marks_.hit(Mark::doomed_in_evict); break;
        case ChunkState::scattering: marks_.hit(Mark::doomed_in_scatter); break;
        case ChunkState::gathering: marks_.hit(Mark::doomed_in_gather); break;
        case ChunkState::growing: marks_.hit(Mark::doomed_in_grow); break;
        case ChunkState::zeroed: marks_.hit(Mark::given_up_zeroed); break;
        default: break;
        }
        if (kind == RequestKind::clear)
            oracle_.clear_begins(index, chunk);
        else
            oracle_.discard_begins(index, chunk);
    }
}

void SimClients::promise(uint32_t index, const Op& op) {
    const Program& program = programs_[index];
    const ChunkRange range{ChunkIndex{op.first}, op.count};
    uint32_t vacant = 0;
    bool doubtful = false;
    for (uint32_t chunk = op.first; chunk < op.first + op.count; ++chunk) {
        if (oracle_.is_vacant(index, chunk))
            ++vacant;
        else if (!oracle_.is_live(index, chunk))
            doubtful = true;
    }
    // Whether a discard has come before the promise cannot be known: programs do not ask.
    if (doubtful) return;
    uint32_t promised = engine_->chunks_promised();
    const uint32_t own = engine_->stats(program.session).chunks_promised;
    called_ = true;
    const Status accepted = engine_->promise(program.session, range);
    const bool fits =
        own + op.count <= options_.promise_max && promised + op.count <= options_.store_chunks;
    if (accepted) {
        if (vacant != op.count) fail("program %u: a chunk was promised twice", index);
        if (!fits) fail("program %u: more chunks were promised than there is room for", index);
        for (uint32_t chunk = op.first; chunk < op.first + op.count; ++chunk)
            oracle_.promised(index, chunk);
        promised += op.count;
        if (promised == options_.store_chunks) marks_.hit(Mark::store_full);
        return;
    }
    if (accepted.error().code == Errc::no_memory) marks_.hit(Mark::promise_refused);
    // Places that refused a write or lost bytes are gone for good, and promises with them.
    const bool may_lack = !fits || disk_.has_cost_places();
    if (accepted.error().code == Errc::no_memory && may_lack) return;
    if (accepted.error().code == Errc::invalid && vacant != op.count) return;
    fail("program %u: a promise was refused with %s", index, errc_text(accepted.error().code));
}

void SimClients::completed(SessionIndex session, uint64_t number, Errc result) {
    trace_.note("completed", number, static_cast<uint64_t>(result));
    const auto found = std::find_if(tickets_.begin(), tickets_.end(),
                                    [&](const Ticket& ticket) { return ticket.number == number; });
    if (found == tickets_.end()) fail("an unknown request was answered");
    const Ticket ticket = *found;
    *found = tickets_.back();
    tickets_.pop_back();
    Program& program = programs_[ticket.program];
    if (program.session != session) fail("a request was answered for another session");
    --program.requests;
    const bool ending = program.life != Life::running;
    if (result == Errc::disconnected && !ending)
        fail("program %u: a request was answered as if it had ended", ticket.program);
    if (gives_up(ticket.kind)) answer_giving_up(ticket, result);
    if (ending) return;
    if (ticket.kind == RequestKind::acquire) return answer_acquire(ticket, result);
    if (ticket.kind == RequestKind::evict)
        for (uint32_t i = 0; i < ticket.range.count; ++i)
            if (program.pins[ticket.range.first.value + i].load() & SharedWords::pin_mask)
                marks_.hit(Mark::pinned_stays);
    if (result != Errc::ok)
        fail("program %u: a request ended with %s", ticket.program, errc_text(result));
    if (ticket.waits) program.threads[ticket.thread].state = State::idle;
}

void SimClients::answer_giving_up(const Ticket& ticket, Errc result) {
    const uint32_t first = ticket.range.first.value;
    for (uint32_t chunk = first; chunk < first + ticket.range.count; ++chunk) {
        if (ticket.kind == RequestKind::clear)
            oracle_.clear_ends(ticket.program, chunk, result == Errc::ok);
        else
            oracle_.discard_ends(ticket.program, chunk);
    }
}

void SimClients::answer_acquire(const Ticket& ticket, Errc result) {
    const Program& program = programs_[ticket.program];
    Thread& thread = programs_[ticket.program].threads[ticket.thread];
    thread.state = State::holding;
    thread.hold = 0;
    const uint32_t first = ticket.range.first.value;
    const uint32_t end = first + ticket.range.count;
    bool changed = changes_of(ticket.program, thread.op) != thread.acquired_at;
    for (uint32_t chunk = first; chunk < end; ++chunk)
        changed |= !oracle_.is_quiet(ticket.program, chunk);
    switch (result) {
    case Errc::ok:
        thread.state = State::accessing;
        thread.acquired = !changed;
        return;
    case Errc::data_lost:
        marks_.hit(Mark::acquire_lost);
        for (uint32_t chunk = first; chunk < end; ++chunk)
            if (oracle_.is_lost(ticket.program, chunk) || can_be_lost(ticket.program, chunk))
                return;
        if (!changed) fail("program %u: an acquire lost data for no reason", ticket.program);
        return;
    case Errc::timed_out:
        marks_.hit(Mark::acquire_timed_out);
        if (clock_.now() - program.opened < options_.frame_deadline)
            fail("program %u: an acquire ended before its deadline", ticket.program);
        return;
    case Errc::invalid:
        if (!changed) fail("program %u: an acquire of its chunks is invalid", ticket.program);
        return;
    default: fail("program %u: an acquire ended with %s", ticket.program, errc_text(result));
    }
}

}  // namespace ciuic::sim
