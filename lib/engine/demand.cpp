// SPDX-License-Identifier: Apache-2.0
//
// Chunks that the program waits for: a queue per session, in order of arrival, linked through the
// records so that it needs no memory. Whose queue is next: sharing.cpp.
#include "base/check.hpp"
#include "engine/engine.hpp"

namespace ciuic {

void Engine::begin_wait(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    if (facts.wanted_since_ns == 0) facts.wanted_since_ns = ports_.clock.now().value;
}

void Engine::end_wait(ChunkRef chunk) {
    ChunkRecord& facts = record(chunk);
    if (facts.wanted_since_ns == 0) return;
    const int64_t waited_ns = ports_.clock.now().value - facts.wanted_since_ns;
    session_at(chunk.session).stats.stall_ns += static_cast<uint64_t>(waited_ns);
    facts.wanted_since_ns = 0;
}

void Engine::want(ChunkRef chunk, uint32_t block, bool is_write, Cause cause) {
    ChunkRecord& facts = record(chunk);
    if (is_write) facts.flags |= ChunkFlags::write_wanted;
    if (facts.flags & ChunkFlags::wanted) {
        // A fault outranks a declaration: it is what refuse() must answer if no frame comes.
        if (cause == Cause::fault) facts.cause = static_cast<uint8_t>(cause);
        if (facts.wanted_block != block) facts.flags |= ChunkFlags::dense;
        return;
    }
    Session& session = session_at(chunk.session);
    facts.flags |= ChunkFlags::wanted;
    facts.wanted_block = block;
    facts.cause = static_cast<uint8_t>(cause);
    facts.next_wanted = none_index;
    begin_wait(chunk);
    if (session.wanted_first == none_index)
        session.wanted_first = chunk.chunk.value;
    else
        session.chunks.edit(ChunkIndex{session.wanted_last}).next_wanted = chunk.chunk.value;
    session.wanted_last = chunk.chunk.value;
    ++session.wanted;
}

std::optional<ChunkRef> Engine::pop_wanted(SessionIndex index) {
    Session& session = session_at(index);
    if (session.wanted_first == none_index) return std::nullopt;
    const ChunkRef chunk{index, ChunkIndex{session.wanted_first}};
    ChunkRecord& facts = record(chunk);
    CIUIC_CHECK(facts.flags & ChunkFlags::wanted);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::wanted);
    session.wanted_first = facts.next_wanted;
    if (session.wanted_first == none_index) session.wanted_last = none_index;
    CIUIC_CHECK(session.wanted > 0);
    --session.wanted;
    return chunk;
}

// Whether serving the chunk takes the disk.
bool Engine::needs_read(ChunkRef chunk) {
    const ChunkRecord& facts = record(chunk);
    if (!is_fetchable(facts.state)) return false;
    if (static_cast<Cause>(facts.cause) != Cause::fault) return true;
    return !has_block(facts) && !find_piece(chunk, facts.wanted_block);
}

// Serves the head of the queue while there are frames and moves for it, up to and with the first
// chunk that has to be read.
bool Engine::start_wanted_of(SessionIndex index) {
    Session& session = session_at(index);
    bool started = false;
    while (session.wanted_first != none_index) {
        const ChunkRef chunk{index, ChunkIndex{session.wanted_first}};
        ChunkRecord& facts = record(chunk);
        const auto cause = static_cast<Cause>(facts.cause);
        const bool reads = needs_read(chunk);
        if (!may_work()) return started;
        switch (state_met(chunk)) {
        case ChunkState::empty:
        case ChunkState::stored:
        case ChunkState::scattered:
        case ChunkState::sparse:
            if (opens_left_ == 0) return started;  // those that were started want a next turn
            if ((reads && !may_read(session)) || !start_page_in(chunk, cause))
                return expire_wanted(index) || started;
            break;
        case ChunkState::ready:
        case ChunkState::zeroed:
            if (!show_untouched(chunk, facts.flags & ChunkFlags::write_wanted))
                return expire_wanted(index) || started;
            break;
        case ChunkState::resident:
            // The device was busy when it was to be shown again.
            // Others may have come to wait at other blocks since.
            if (!touch_resident(chunk, none_index, facts.flags & ChunkFlags::write_wanted))
                return expire_wanted(index) || started;
            end_wait(chunk);
            break;
        case ChunkState::filling:
        case ChunkState::fetching:
        case ChunkState::evicting:
        case ChunkState::scattering:
        case ChunkState::gathering:
        case ChunkState::growing:
            touch_moving(chunk, false);
            if (cause == Cause::fault) move_of(chunk).touched = true;
            break;
        case ChunkState::vacant:
        case ChunkState::lost:
            if (cause == Cause::fault && !refuse(chunk)) return expire_wanted(index) || started;
            end_wait(chunk);
            break;
        }
        const auto popped = pop_wanted(index);
        CIUIC_CHECK(popped == chunk);
        did(reads ? 1 : limits::cost_of_show);
        started = true;
        if (reads) break;
    }
    return started;
}

// The least that serves whoever waits: a piece that is there, a new one, a block, the whole chunk.
// False: there is no room, or the device is busy.
bool Engine::start_page_in(ChunkRef chunk, Cause cause) {
    const ChunkRecord& facts = record(chunk);
    if (is_fetchable(facts.state) && cause == Cause::fault) {
        if (const auto piece = find_piece(chunk, facts.wanted_block)) return reveal_piece(*piece);
        if (wants_piece(chunk, cause)) return start_piece(chunk);
        if (has_block(facts)) return show_again(chunk, facts.wanted_block);
        if (wants_block(chunk, cause)) return start_grow(chunk);
    }
    give_way_to_fetch(chunk);
    if (!may_take_frame(session_at(chunk.session))) return false;
    return facts.state == ChunkState::empty ? start_fill(chunk, cause) : start_fetch(chunk, cause);
}

// A wait for a frame that has lasted too long fails loudly rather than going on for ever.
bool Engine::expire_wanted(SessionIndex index) {
    const ChunkRef chunk{index, ChunkIndex{session_at(index).wanted_first}};
    const Nanos since{record(chunk).wanted_since_ns};
    // Another touch of the chunk has been answered since, and with it the time was taken back.
    if (since == Nanos{0}) begin_wait(chunk);
    if (since == Nanos{0} || ports_.clock.now() - since < options_.frame_deadline) return false;
    if (record(chunk).state == ChunkState::sparse) drop_sparse(chunk);
    // A device that is busy for so long is no lack of frames; only a closed chunk can be poisoned.
    if (has_frame(record(chunk).state)) return false;
    ++session_at(index).stats.waits_expired;
    if (static_cast<Cause>(record(chunk).cause) == Cause::fault && !refuse(chunk)) return false;
    end_wait(chunk);
    pop_wanted(index);
    return true;
}

// Answers whoever waits at the chunk with a failure, now and later. False: the device is busy.
bool Engine::refuse(ChunkRef chunk) {
    // What the program still has of the chunk keeps its bytes, out of the program's sight.
    if (conceal_pieces(chunk, {}).error().code == Errc::busy) {
        retry_wanted_ = true;
        return false;
    }
    record(chunk).flags |= ChunkFlags::poisoned;
    switch (ports_.device.poison(chunk).error().code) {
    case Errc::ok:
    case Errc::disconnected: return true;  // a program that is gone needs no answer
    case Errc::busy: retry_wanted_ = true; return false;
    default: ports_.clients.unanswerable(chunk.session); return true;
    }
}

}  // namespace ciuic
