// SPDX-License-Identifier: Apache-2.0
//
// The lives of programs: how they start, die, and are seen to be dead.
#include "tests/sim/sim_clients.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace ciuic::sim {

namespace {

constexpr uint32_t notice_max = 24;  // steps from a death to its notice

}  // namespace

SimClients::SimClients(const SimClientsOptions& options, Clock& clock, Random random,
                       SimDevice& device, SimDisk& disk, Oracle& oracle, Workload& workload,
                       Trace& trace)
    : options_(options), clock_(clock), random_(random), device_(device), disk_(disk),
      oracle_(oracle), workload_(workload), trace_(trace), programs_(options.programs),
      indexes_used_(options.programs), buffer_(oracle.words_per_chunk()) {
    for (Program& program : programs_) {
        program.records.resize(options.chunks);
        program.states = std::make_unique<std::atomic<uint32_t>[]>(options.chunks);
        program.pins = std::make_unique<std::atomic<uint32_t>[]>(options.chunks);
    }
    tickets_.reserve(size_t{options.programs} * limits::waiters_per_session_max);
}

void SimClients::open(uint32_t index) {
    Program& program = programs_[index];
    std::fill(program.records.begin(), program.records.end(), ChunkRecord{});
    for (uint32_t chunk = 0; chunk < options_.chunks; ++chunk) {
        program.states[chunk] = 0;
        program.pins[chunk] = 0;
    }
    if (options_.declares) program.log = std::make_unique<AccessLog>();
    const auto opened =
        engine_->open_session({.records = program.records,
                               .words = {.states = {program.states.get(), options_.chunks},
                                         .pins = {program.pins.get(), options_.chunks}},
                               .realm = 1000 + index,
                               .chunks_max = options_.promise_max,
                               .frames_max = options_.frames_max,
                               .frames_guaranteed = index == 0 ? options_.frames_guaranteed : 0,
                               .weight = std::min(index + 1, options_.weight_max),
                               .declared_uses = program.log.get()});
    if (!opened) fail("open_session: %s", opened.error().what);
    called_ = true;
    program.life = Life::running;
    program.number = ++lives_;
    program.session = *opened;
    program.opened = clock_.now();
    program.expired_seen = 0;
    program.requests = 0;
    program.next_chunk = 0;
    program.threads.assign(options_.threads, {});
    program.expired_chunks.assign(options_.chunks, false);
    for (const Program& other : programs_)
        if (&other != &program && other.life != Life::absent && other.session == *opened)
            fail("session %u was given twice", opened->value);
    if (indexes_used_[opened->value]) marks_.hit(Mark::index_reused);
    indexes_used_[opened->value] = true;
    device_.attach(*opened, program.number, options_.chunks);
    oracle_.begin(index);
    workload_.begin(index);
    trace_.note("session", opened->value, program.number);
}

void SimClients::step_owner(uint32_t index) {
    Program& program = programs_[index];
    switch (program.life) {
    case Life::absent:
        if (!finishing_ && (program.number == 0 || options_.reopens)) open(index);
        break;
    case Life::running: break;
    case Life::dying:
        if (!finishing_ && program.notice > 0) {
            --program.notice;
            break;
        }
        trace_.note("close session", program.session.value);
        program.life = Life::closing;
        engine_->close_session(program.session);
        called_ = true;
        if (disk_.in_flight() > 0) marks_.hit(Mark::closed_with_io);
        break;
    case Life::closing: break;
    }
}

void SimClients::die(uint32_t index, bool in_order) {
    Program& program = programs_[index];
    trace_.note(in_order ? "exit" : "death", index, program.number);
    if (!in_order) {
        faults_.add(Fault::death);
        mark_death(program);
        device_.kill(program.session);
    }
    // A dead program's pins stay as they were; one that leaves in order gives them up.
    for (Thread& thread : program.threads)
        if (thread.pinned) {
            if (in_order)
                pin(program, thread.op, false);
            else
                marks_.hit(Mark::died_with_pins);
        }
    program.threads.assign(options_.threads, {});
    program.life = Life::dying;
    program.notice = in_order ? 0 : static_cast<uint32_t>(random_.below(notice_max));
}

void SimClients::mark_death(const Program& facts) {
    for (uint32_t chunk = 0; chunk < options_.chunks; ++chunk) {
        switch (static_cast<ChunkState>(facts.states[chunk].load() & 0xff)) {
        case ChunkState::filling: marks_.hit(Mark::died_in_fill); break;
        case ChunkState::fetching: marks_.hit(Mark::died_in_fetch); break;
        case ChunkState::evicting: marks_.hit(Mark::died_in_evict); break;
        case ChunkState::scattering: marks_.hit(Mark::died_in_scatter); break;
        case ChunkState::growing: marks_.hit(Mark::died_in_grow); break;
        default: break;
        }
    }
}

void SimClients::closed(SessionIndex session) {
    trace_.note("closed", session.value);
    for (Program& program : programs_) {
        if (program.life != Life::closing || program.session != session) continue;
        if (program.requests != 0) fail("a session ended with %u requests", program.requests);
        program.life = Life::absent;
        return;
    }
    fail("session %u ended, and nobody had closed it", session.value);
}

// The simulated device can always poison.
void SimClients::unanswerable(SessionIndex session) {
    fail("session %u is called unanswerable", session.value);
}

// The engine has just poisoned a chunk: is it because a wait expired?
void SimClients::poisoned(ChunkRef chunk) {
    for (Program& program : programs_) {
        if (program.life == Life::absent || program.session != chunk.session) continue;
        const uint64_t expired = engine_->stats(chunk.session).waits_expired;
        // A wait for an acquired chunk expires without a poison; this one may be a loss.
        const bool is_lost = engine_->chunks(chunk.session)[chunk.chunk].state == ChunkState::lost;
        const bool is_expiry = expired > program.expired_seen && !is_lost;
        program.expired_seen = expired;
        program.expired_chunks[chunk.chunk.value] = is_expiry;
        if (!is_expiry) return;
        ++expired_;
        marks_.hit(Mark::wait_expired);
        if (clock_.now() - program.opened < options_.frame_deadline)
            fail("a wait of session %u expired before its deadline", chunk.session.value);
        if (finishing_ &&
            clock_.now() - finishing_since_ > options_.frame_deadline + options_.frame_deadline)
            fail("a wait expired though nothing stood in its way");
        return;
    }
}

void SimClients::between() {
    if (in_between_ || options_.between_threads == 0) return;
    in_between_ = true;
    const uint64_t steps = random_.below(options_.between_threads + 1);
    for (uint64_t step = 0; step < steps; ++step) {
        const auto program = static_cast<uint32_t>(random_.below(options_.programs));
        if (programs_[program].life != Life::running) continue;
        if (!finishing_ && options_.kill_chance > 0 &&
            random_.chance(options_.kill_chance, 64 * chance_base))
            die(program, false);
        else
            step_thread(program, static_cast<uint32_t>(random_.below(options_.threads)), false);
    }
    in_between_ = false;
}

bool SimClients::step() {
    called_ = false;
    in_between_ = true;  // a thread's own step is no place for another's
    const auto index = static_cast<uint32_t>(random_.below(options_.programs));
    Program& program = programs_[index];
    if (program.life == Life::running)
        step_thread(index, static_cast<uint32_t>(random_.below(options_.threads)), true);
    else
        step_owner(index);
    in_between_ = false;
    return called_;
}

void SimClients::finish() {
    finishing_ = true;
    options_.kill_chance = 0;
    options_.spurious_chance = 0;
    finishing_since_ = clock_.now();
}

bool SimClients::is_finished() const {
    if (!tickets_.empty()) return false;
    for (const Program& program : programs_) {
        if (program.life == Life::dying || program.life == Life::closing) return false;
        if (program.life == Life::absent) continue;
        for (const Thread& thread : program.threads)
            if (thread.state != State::idle) return false;
        if (reading_all_ && program.next_chunk < options_.chunks) return false;
    }
    return true;
}

void SimClients::read_all() {
    reading_all_ = true;
    for (Program& program : programs_) program.next_chunk = 0;
}

void SimClients::close_all() {
    for (uint32_t index = 0; index < options_.programs; ++index)
        if (programs_[index].life == Life::running) die(index, true);
}

bool SimClients::is_closed() const {
    return std::all_of(programs_.begin(), programs_.end(),
                       [](const Program& program) { return program.life == Life::absent; });
}

// Chunks whose first part is on its way: their frames are opened meanwhile.
uint32_t SimClients::count_unopened(const Program& program) const {
    const ChunkTable& chunks = engine_->chunks(program.session);
    uint32_t count = 0;
    for (uint32_t chunk = 0; chunk < chunks.chunks(); ++chunk) {
        const ChunkRecord& facts = chunks[ChunkIndex{chunk}];
        if (facts.state == ChunkState::growing && facts.shown_blocks == 0) ++count;
        if (facts.state == ChunkState::fetching && device_.traits().opens_zeroed) ++count;
    }
    return count;
}

// What the engine counts is what the programs hold.
void SimClients::check_accounts() {
    uint32_t frames = 0;
    uint32_t unopened = 0;
    uint32_t promised = 0;
    for (uint32_t index = 0; index < options_.programs; ++index) {
        const Program& program = programs_[index];
        if (program.life == Life::absent) continue;
        const SessionStats& stats = engine_->stats(program.session);
        frames += stats.frames;
        unopened += count_unopened(program);
        promised += stats.chunks_promised;
        if (options_.frames_max > 0 && stats.frames == options_.frames_max)
            marks_.hit(Mark::session_full);
        if (program.life == Life::closing) continue;
        if (stats.chunks_promised < oracle_.promised_min(index) ||
            stats.chunks_promised > oracle_.promised_max(index))
            fail("session %u counts %u promised chunks, its program %u .. %u",
                 program.session.value, stats.chunks_promised, oracle_.promised_min(index),
                 oracle_.promised_max(index));
    }
    if (frames + engine_->frames_free() != engine_->frames())
        fail("%u frames are held and %u are free, of %u", frames, engine_->frames_free(),
             engine_->frames());
    if (device_.frames_open() > frames || device_.frames_open() + unopened < frames)
        fail("%u frames are open, %u are held, of which %u may not be open yet",
             device_.frames_open(), frames, unopened);
    if (engine_->frames_free() == 0) marks_.hit(Mark::frames_exhausted);
    if (promised != engine_->chunks_promised())
        fail("sessions promised %u chunks, the engine counts %u", promised,
             engine_->chunks_promised());
}

void SimClients::describe_waiting() const {
    static constexpr const char* states[] = {"idle",    "ready",     "accessing",
                                             "blocked", "requested", "holding"};
    for (uint32_t index = 0; index < options_.programs; ++index) {
        const Program& program = programs_[index];
        if (program.life == Life::absent) continue;
        std::fprintf(stderr, "program %u: life %u, session %u, %u requests under way\n", index,
                     static_cast<unsigned>(program.life), program.session.value, program.requests);
        for (const Thread& thread : program.threads) {
            if (thread.state == State::idle) continue;
            const auto state = static_cast<ChunkState>(program.states[thread.chunk].load() & 0xff);
            std::fprintf(stderr, "  thread: %s, op %u on %u +%u, at chunk %u (%s) + %" PRIu64 "\n",
                         states[static_cast<size_t>(thread.state)],
                         static_cast<unsigned>(thread.op.kind), thread.op.first, thread.op.count,
                         thread.chunk, chunk_state_text(state), thread.offset_bytes);
        }
    }
    for (const Ticket& ticket : tickets_)
        std::fprintf(stderr, "  request %" PRIu64 ": kind %u on %u +%u of program %u\n",
                     ticket.number, static_cast<unsigned>(ticket.kind), ticket.range.first.value,
                     ticket.range.count, ticket.program);
}

}  // namespace ciuic::sim
