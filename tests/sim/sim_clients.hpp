// SPDX-License-Identifier: Apache-2.0
//
// SimClients: the programs. Each has threads that run the workload's operations step by step, as
// real threads do: an access that faults waits for the device to wake it, an acquire pins first,
// reads the shared state words and asks only if it must, and a program can die between any two
// steps, also while the engine is in the middle of a call.
//
// Threads step in two places: between() inside the engine's own calls, where they only touch
// memory and pins, and step() outside, where the owner carries their requests to the engine.
//
// Every answer of the engine is checked here against what it may be; every byte, by the oracle.
// Threads: one.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "engine/engine.hpp"
#include "tests/sim/marks.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/sim_device.hpp"
#include "tests/sim/sim_disk.hpp"
#include "tests/sim/workload.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace ciuic::sim {

struct SimClientsOptions {
    uint32_t programs = 1;
    uint32_t threads = 1;            // per program
    uint32_t chunks = 1;             // address space of each program
    uint32_t promise_max = 0;        // SessionOptions::chunks_max
    uint32_t frames_max = 0;         // SessionOptions::frames_max
    uint32_t frames_guaranteed = 0;  // of the first program; the others have no guarantee
    uint32_t weight_max = 1;         // program i has weight 1 + i, at most this
    uint32_t store_chunks = 0;       // what the store holds
    Nanos frame_deadline;
    uint32_t spurious_chance = 0;  // of each step of a waiting thread
    uint32_t kill_chance = 0;      // of each between() of a port, out of 64 * chance_base
    uint32_t between_threads = 0;  // thread steps in each between(), at most
    bool reopens = true;           // a program that ended is started again
    bool declares = false;         // programs declare what they acquire, and now and then nonsense
};

class SimClients final : public Clients, public Between {
public:
    SimClients(const SimClientsOptions& options, Clock& clock, Random random, SimDevice& device,
               SimDisk& disk, Oracle& oracle, Workload& workload, Trace& trace);
    void connect(Engine& engine) { engine_ = &engine; }

    // Clients
    void completed(SessionIndex session, uint64_t ticket, Errc result) override;
    void closed(SessionIndex session) override;
    void unanswerable(SessionIndex session) override;

    // Between
    void between() override;
    void poisoned(ChunkRef chunk) override;

    // One thread, or the owner of one program, does something. True: the engine was called.
    bool step();
    // The engine was called in the last step.
    bool called() const { return called_; }

    // No new operations; what is under way is finished, pins are given up as soon as possible.
    void finish();
    bool is_finished() const;
    // Every running program reads all it has; begun after finish().
    void read_all();
    // Every program ends; begun after finish().
    void close_all();
    bool is_closed() const;

    uint32_t programs() const { return options_.programs; }
    uint64_t operations() const { return operations_; }
    uint64_t expired() const { return expired_; }
    const FaultCounts& faults() const { return faults_; }
    const MarkSet& marks() const { return marks_; }
    void check_accounts();
    void describe_waiting() const;

private:
    enum class Life : uint8_t { absent, running, dying, closing };
    enum class State : uint8_t { idle, ready, accessing, blocked, requested, holding };

    struct Thread {
        State state = State::idle;
        Op op{};
        uint32_t done_words = 0;
        bool acquired = false;     // its pinned chunks cannot be taken away
        uint32_t acquired_at = 0;  // sum of their changes() then
        bool pinned = false;
        uint32_t hold = 0;
        uint32_t wakes = 0;         // of the block it waits at, when it began
        uint64_t offset_bytes = 0;  // in its chunk, of that block
        uint32_t chunk = 0;
        uint64_t counter = 0;  // of the values it writes
    };
    struct Program {
        Life life = Life::absent;
        uint32_t number = 0;  // of this life
        SessionIndex session;
        Nanos opened;
        uint32_t notice = 0;  // steps until the owner sees its death
        uint32_t next_chunk = 0;
        uint64_t expired_seen = 0;
        uint32_t requests = 0;  // under way
        std::vector<ChunkRecord> records;
        std::unique_ptr<std::atomic<uint32_t>[]> states;
        std::unique_ptr<std::atomic<uint32_t>[]> pins;
        std::unique_ptr<AccessLog> log;
        std::vector<bool> expired_chunks;  // poisoned because a wait for them expired
        std::vector<Thread> threads;
    };
    struct Ticket {
        uint64_t number = 0;
        uint32_t program = 0;
        uint32_t thread = 0;
        bool waits = false;
        RequestKind kind{};
        ChunkRange range;
    };

    // sim_clients.cpp: lives
    uint32_t count_unopened(const Program& program) const;
    void open(uint32_t program);
    void step_owner(uint32_t program);
    void die(uint32_t program, bool in_order);
    void mark_death(const Program& facts);

    // sim_threads.cpp: threads
    void step_thread(uint32_t program, uint32_t thread, bool may_call);
    void take_next(uint32_t program, uint32_t thread);
    void start(uint32_t program, uint32_t thread);
    void start_acquire(uint32_t program, uint32_t thread);
    void access(uint32_t program, uint32_t thread);
    void read_piece(uint32_t program, const Thread& facts, uint32_t word, uint32_t words);
    void write_piece(uint32_t program, Thread& facts, uint32_t word, uint32_t words);
    void block(uint32_t program, Thread& facts, Access why);
    void end_access(Thread& facts);
    void pin(Program& program, const Op& op, bool on);
    void declare(Program& program, const Op& op);
    bool is_pin_kept(uint32_t program, const Thread& facts) const;
    uint32_t changes_of(uint32_t program, const Op& op) const;
    bool can_be_lost(uint32_t program, uint32_t chunk) const;
    Excuse excuse_for(uint32_t program, uint32_t chunk) const;

    // sim_requests.cpp: requests and their answers
    bool request(uint32_t program, uint32_t thread);
    void promise(uint32_t program, const Op& op);
    void check_refusal(uint32_t program, RequestKind kind, ChunkRange range, Errc refusal);
    void begin_giving_up(uint32_t program, RequestKind kind, ChunkRange range);
    void answer_giving_up(const Ticket& ticket, Errc result);
    void answer_acquire(const Ticket& ticket, Errc result);
    bool all_live(uint32_t program, ChunkRange range) const;
    bool any_vacant(uint32_t program, ChunkRange range) const;

    SimClientsOptions options_;
    Clock& clock_;
    Random random_;
    SimDevice& device_;
    SimDisk& disk_;
    Oracle& oracle_;
    Workload& workload_;
    Trace& trace_;
    Engine* engine_ = nullptr;
    std::vector<Program> programs_;
    std::vector<Ticket> tickets_;
    std::vector<bool> indexes_used_;
    std::vector<uint64_t> buffer_;
    uint64_t next_ticket_ = 1;
    uint32_t lives_ = 0;
    bool called_ = false;
    bool finishing_ = false;
    bool reading_all_ = false;
    bool in_between_ = false;
    Nanos finishing_since_;
    uint64_t operations_ = 0;
    uint64_t expired_ = 0;
    FaultCounts faults_;
    MarkSet marks_;
};

}  // namespace ciuic::sim
