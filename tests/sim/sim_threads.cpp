// SPDX-License-Identifier: Apache-2.0
//
// What threads do, step by step.
#include "tests/sim/sim_clients.hpp"

#include <algorithm>
#include <cstring>

namespace ciuic::sim {

namespace {

// Words that a thread moves in one step: others step in between.
constexpr uint32_t piece_words = 128;

// Says who wrote a word, when and where: foreign and stale values differ from every right one, and
// none is zero.
uint64_t stamp(uint32_t life, uint32_t chunk, uint32_t word, uint64_t counter) {
    return uint64_t{life & 0xfff} << 52 | uint64_t{chunk & 0xff} << 44 |
           uint64_t{word & 0xfff} << 32 | (counter & 0xffffffff);
}

}  // namespace

void SimClients::step_thread(uint32_t index, uint32_t thread, bool may_call) {
    Program& program = programs_[index];
    Thread& facts = program.threads[thread];
    if (facts.state == State::idle) take_next(index, thread);
    switch (facts.state) {
    case State::idle:
    case State::requested: return;
    case State::ready:
        if (facts.op.kind == OpKind::touch || may_call) start(index, thread);
        return;
    case State::blocked: {
        const ChunkRef chunk{program.session, ChunkIndex{facts.chunk}};
        if (device_.wakes(chunk, facts.offset_bytes) == facts.wakes) {
            if (!random_.chance(options_.spurious_chance, chance_base)) return;
            faults_.add(Fault::spurious_wake);
        }
        return access(index, thread);
    }
    case State::accessing: return access(index, thread);
    case State::holding:
        if (facts.hold > 0 && !finishing_) {
            --facts.hold;
            return;
        }
        if (facts.pinned) pin(program, facts.op, false);
        facts = {.counter = facts.counter};
        return;
    }
}

void SimClients::take_next(uint32_t index, uint32_t thread) {
    Program& program = programs_[index];
    Thread& facts = program.threads[thread];
    facts = {.counter = facts.counter};
    if (!finishing_) {
        facts.op = workload_.next(index, thread);
        facts.state = State::ready;
        ++operations_;
        return;
    }
    if (!reading_all_) return;
    while (program.next_chunk < options_.chunks && !oracle_.is_live(index, program.next_chunk))
        ++program.next_chunk;
    if (program.next_chunk == options_.chunks) return;
    facts.op = {
        .kind = OpKind::touch, .first = program.next_chunk++, .words = oracle_.words_per_chunk()};
    facts.state = State::ready;
}

void SimClients::start(uint32_t index, uint32_t thread) {
    Program& program = programs_[index];
    Thread& facts = program.threads[thread];
    trace_.note("op", static_cast<uint64_t>(facts.op.kind), facts.op.first, facts.op.count);
    switch (facts.op.kind) {
    case OpKind::touch: facts.state = State::accessing; return access(index, thread);
    case OpKind::acquire: return start_acquire(index, thread);
    case OpKind::prefetch:
    case OpKind::evict:
    case OpKind::clear:
    case OpKind::discard:
        facts.state = request(index, thread) && facts.op.waits ? State::requested : State::idle;
        if (facts.op.waits) return;
        for (uint32_t time = 1; time < facts.op.times; ++time) request(index, thread);
        return;
    case OpKind::promise:
        promise(index, facts.op);
        facts.state = State::idle;
        return;
    case OpKind::rest:
        facts.state = State::holding;
        facts.hold = facts.op.hold;
        return;
    case OpKind::exit:
    case OpKind::die: return die(index, facts.op.kind == OpKind::exit);
    }
}

// The hit path of a client: pin, fence, read the states; all resident means go.
void SimClients::start_acquire(uint32_t index, uint32_t thread) {
    Program& program = programs_[index];
    Thread& facts = program.threads[thread];
    facts.op.waits = true;
    pin(program, facts.op, true);
    if (program.log) declare(program, facts.op);
    facts.pinned = true;
    facts.acquired_at = changes_of(index, facts.op);
    bool resident = true;
    for (uint32_t chunk = facts.op.first; chunk < facts.op.first + facts.op.count; ++chunk)
        resident &=
            (program.states[chunk].load() & 0xff) == static_cast<uint32_t>(ChunkState::resident);
    if (resident) {
        marks_.hit(Mark::acquire_hit);
        facts.acquired = true;
        facts.state = State::accessing;
        return;
    }
    if (request(index, thread)) {
        facts.state = State::requested;
        marks_.hit(Mark::acquire_waited);
        return;
    }
    facts.state = State::holding;
    facts.hold = 0;
}

void SimClients::pin(Program& program, const Op& op, bool on) {
    for (uint32_t chunk = op.first; chunk < op.first + op.count; ++chunk) {
        if (on)
            program.pins[chunk] += SharedWords::pin_one;
        else
            program.pins[chunk] -= 1;  // the count of accesses stays
    }
}

void SimClients::declare(Program& program, const Op& op) {
    program.log->append(op.first, op.count, op.writes);
    called_ = true;
    if (!random_.chance(1, 64)) return;
    // Whatever a client writes: chunks that are nobody's, more than the log holds.
    const uint64_t entries = random_.chance(1, 16) ? limits::access_log_entries + 7 : 2;
    for (uint64_t entry = 0; entry < entries; ++entry)
        program.log->append(static_cast<uint32_t>(random_.below(2 * options_.chunks)),
                            static_cast<uint32_t>(1 + random_.below(3)), false);
}

uint32_t SimClients::changes_of(uint32_t index, const Op& op) const {
    uint32_t sum = 0;
    for (uint32_t chunk = op.first; chunk < op.first + op.count; ++chunk)
        sum += oracle_.changes(index, chunk);
    return sum;
}

// Nothing but the program itself can have taken its acquired chunks away.
bool SimClients::is_pin_kept(uint32_t index, const Thread& facts) const {
    return facts.acquired && oracle_.is_quiet(index, facts.chunk) &&
           changes_of(index, facts.op) == facts.acquired_at;
}

void SimClients::access(uint32_t index, uint32_t thread) {
    Program& program = programs_[index];
    Thread& facts = program.threads[thread];
    if (facts.done_words == facts.op.words) return end_access(facts);
    const uint32_t words = oracle_.words_per_chunk();
    const uint32_t at = facts.op.word + facts.done_words;
    const uint32_t word = at % words;
    facts.chunk = facts.op.first + at / words;
    facts.offset_bytes = word * sizeof(uint64_t);
    const ChunkRef chunk{program.session, ChunkIndex{facts.chunk}};
    switch (const Access answer = device_.access(chunk, facts.offset_bytes, facts.op.writes)) {
    case Access::granted: break;
    case Access::failed:
        trace_.note("access failed", index, facts.chunk);
        if (oracle_.is_vacant(index, facts.chunk)) marks_.hit(Mark::stray_touch);
        oracle_.check_failed(index, facts.chunk, excuse_for(index, facts.chunk));
        if (oracle_.is_lost(index, facts.chunk)) marks_.hit(Mark::lost);
        return end_access(facts);
    case Access::missing:
    case Access::write:
        if (answer == Access::missing && is_pin_kept(index, facts) &&
            engine_->chunks(program.session)[ChunkIndex{facts.chunk}].state != ChunkState::resident)
            fail("program %u: acquired chunk %u was taken away", index, facts.chunk);
        return block(index, facts, answer);
    }
    const auto together =
        static_cast<uint32_t>(device_.bytes_together(chunk, facts.offset_bytes) / sizeof(uint64_t));
    const uint32_t piece = std::min({facts.op.words - facts.done_words, piece_words, together});
    if (device_.is_part_shown(chunk)) marks_.hit(Mark::read_in_part);
    if (facts.op.writes)
        write_piece(index, facts, word, piece);
    else
        read_piece(index, facts, word, piece);
    facts.state = State::accessing;
    facts.done_words += piece;
    if (facts.done_words == facts.op.words) end_access(facts);
}

void SimClients::read_piece(uint32_t index, const Thread& facts, uint32_t word, uint32_t words) {
    const ChunkRef chunk{programs_[index].session, ChunkIndex{facts.chunk}};
    std::memcpy(buffer_.data(), device_.byte_at(chunk, word * sizeof(uint64_t)),
                words * sizeof(uint64_t));
    oracle_.check_read(index, facts.chunk, word, std::span(buffer_).first(words));
}

void SimClients::write_piece(uint32_t index, Thread& facts, uint32_t word, uint32_t words) {
    const Program& program = programs_[index];
    if (facts.op.values == Values::fresh && facts.done_words == 0) ++facts.counter;
    const auto thread = static_cast<uint64_t>(&facts - program.threads.data());
    for (uint32_t i = 0; i < words; ++i) {
        switch (facts.op.values) {
        case Values::fresh:
            buffer_[i] = stamp(program.number, facts.chunk, word + i, thread << 28 | facts.counter);
            break;
        case Values::same: buffer_[i] = oracle_.value(index, facts.chunk, word + i); break;
        case Values::zero: buffer_[i] = 0; break;
        }
    }
    const ChunkRef chunk{program.session, ChunkIndex{facts.chunk}};
    std::memcpy(device_.byte_at(chunk, word * sizeof(uint64_t)), buffer_.data(),
                words * sizeof(uint64_t));
    oracle_.wrote(index, facts.chunk, word, std::span(buffer_).first(words));
}

void SimClients::block(uint32_t index, Thread& facts, Access why) {
    const ChunkRef chunk{programs_[index].session, ChunkIndex{facts.chunk}};
    device_.report(chunk, facts.offset_bytes, facts.op.writes, why);
    facts.wakes = device_.wakes(chunk, facts.offset_bytes);
    facts.state = State::blocked;
}

void SimClients::end_access(Thread& facts) {
    facts.state = State::holding;
    facts.hold = facts.pinned ? facts.op.hold : 0;
}

// Injected faults have damaged its copy on the disk, or every try to read it.
bool SimClients::can_be_lost(uint32_t index, uint32_t chunk) const {
    const Program& program = programs_[index];
    const Owner owner{program.number, chunk};
    // Of the tries to read a chunk, a part of the first goes into a buffer that is no frame's.
    const uint32_t read_faults = device_.read_faults({program.session, ChunkIndex{chunk}}) +
                                 (disk_.was_disturbed(owner) ? 1 : 0);
    return disk_.is_damaged(owner) || disk_.is_unreadable(owner) ||
           read_faults > limits::io_retries_max;
}

Excuse SimClients::excuse_for(uint32_t index, uint32_t chunk) const {
    if (programs_[index].expired_chunks[chunk]) return Excuse::expired;
    return can_be_lost(index, chunk) ? Excuse::damage : Excuse::none;
}

}  // namespace ciuic::sim
