// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulation.hpp"

#include "base/mapping.hpp"
#include "tests/sim/profile.hpp"
#include "tests/sim/sim_clock.hpp"
#include "tests/sim/sim_workers.hpp"

#include <algorithm>

namespace ciuic::sim {

namespace {

// Time that passes in a round of settle(), and the most that passes where only deadlines are left.
constexpr Nanos settle_round{10'000};
constexpr Nanos idle_time_max{100'000'000};
// Rounds in which everything under way must have ended: far beyond what any seed has needed.
constexpr uint32_t settle_rounds_max = 200'000;
// Ticks that may say "there is more" one after the other while nothing happens outside.
constexpr uint32_t idle_ticks_max = 1'000;

std::unique_ptr<Workload> make_workload(const Profile& profile, const Oracle& oracle,
                                        Random random) {
    const SimClientsOptions& clients = profile.clients;
    const WorkloadView view{.oracle = oracle,
                            .programs = clients.programs,
                            .chunks = clients.chunks,
                            .promise_max = clients.promise_max,
                            .frames = clients.frames_max ? clients.frames_max
                                                         : profile.device.traits.frames};
    switch (profile.workload) {
    case WorkloadKind::mixed: return make_mixed(view, random);
    case WorkloadKind::patterns: return make_patterns(view, random);
    case WorkloadKind::short_sequences: return make_short(view, profile.sequence);
    }
    return nullptr;
}

class Simulation {
public:
    Simulation(uint64_t seed, const RunOptions& options)
        : profile_(profile_of(seed, options.steps)), random_(seed + 1), trace_(options.traces),
          oracle_(profile_.clients.programs, profile_.clients.chunks, profile_.store.chunk_bytes),
          workload_(make_workload(profile_, oracle_, Random(seed + 2))),
          device_(profile_.device, Random(seed + 3), trace_),
          disk_(profile_.disk, clock_, Random(seed + 4), &device_, trace_),
          workers_(Random(seed + 5), trace_), store_(disk_, clock_, profile_.store),
          clients_(profile_.clients, clock_, Random(seed + 6), device_, disk_, oracle_, *workload_,
                   trace_),
          bounce_(*Mapping::create(profile_.bounces * profile_.store.block_bytes,
                                   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)),
          engine_({device_, store_, workers_, clock_, clients_, bounce_.bytes()}, profile_.engine) {
        clients_.connect(engine_);
        device_.watch(&disk_, &workers_, &clients_);
    }

    RunReport run();

private:
    void step();
    void tick();
    bool is_tick_due();
    void check();
    template <typename Done> void settle(const char* phase, Done done);
    void check_leaks();
    RunReport report() const;

    Profile profile_;
    Random random_;
    Trace trace_;
    SimClock clock_;
    Oracle oracle_;
    std::unique_ptr<Workload> workload_;
    SimDevice device_;
    SimDisk disk_;
    SimWorkers workers_;
    SwapStore store_;
    SimClients clients_;
    Mapping bounce_;
    Engine engine_;
    bool again_ = true;  // the engine has more to do, or was called
    Nanos ticked_;
    uint32_t idle_ticks_ = 0;
    FaultCounts faults_;
    MarkSet marks_;
};

void Simulation::tick() {
    trace_.note("tick", static_cast<uint64_t>(clock_.now().value));
    const bool has_news =
        device_.has_events() || disk_.has_results() || workers_.has_results() || clients_.called();
    again_ = engine_.tick();
    idle_ticks_ = again_ && !has_news ? idle_ticks_ + 1 : 0;
    ticked_ = clock_.now();
    check();
}

// The owner sleeps until something outside has happened or the engine's time has come: work that
// the engine forgets to ask a turn for stays undone, here as there.
bool Simulation::is_tick_due() {
    return again_ || device_.has_events() || disk_.has_results() || workers_.has_results() ||
           clock_.now() - ticked_ >= engine_.wait_max();
}

void Simulation::check() {
    engine_.verify();
    clients_.check_accounts();
    if (idle_ticks_ > idle_ticks_max) fail("the engine never comes to rest");
}

void Simulation::step() {
    clock_.advance(
        {static_cast<int64_t>(random_.below(static_cast<uint64_t>(profile_.step_time_max.value)))});
    if (random_.chance(profile_.jump_chance, 16 * chance_base)) {
        faults_.add(Fault::clock_jump);
        clock_.advance(
            {static_cast<int64_t>(random_.below(static_cast<uint64_t>(profile_.jump_max.value)))});
    }
    for (uint64_t left = random_.below(profile_.thread_steps + 1); left > 0; --left)
        again_ |= clients_.step();
    for (uint64_t left = random_.below(profile_.disk_steps + 1); left > 0; --left) disk_.step();
    for (uint64_t left = random_.below(profile_.worker_steps + 1); left > 0; --left)
        workers_.step();
    device_.step();
    if (profile_.owner_waits ? is_tick_due() && random_.chance(7, 8) : random_.chance(1, 2)) tick();
}

template <typename Done> void Simulation::settle(const char* phase, Done done) {
    trace_.note(phase);
    Nanos idle_time;
    for (uint32_t round = 0; round < settle_rounds_max; ++round) {
        if (done()) return;
        clock_.advance(settle_round);
        bool moved = false;
        for (uint32_t turn = 0; turn < 4; ++turn) {
            moved |= disk_.step();
            moved |= workers_.step();
            again_ |= clients_.step();
        }
        if (is_tick_due()) tick();
        // Where nothing but deadlines is left, they come soon.
        idle_time = moved ? Nanos{} : std::min(idle_time + idle_time + settle_round, idle_time_max);
        clock_.advance(idle_time);
    }
    clients_.describe_waiting();
    fail("%s: something under way does not end: %u disk requests, %u jobs, %u frames free", phase,
         disk_.in_flight(), workers_.under_way(), engine_.frames_free());
}

void Simulation::check_leaks() {
    if (engine_.frames_free() != engine_.frames() || device_.frames_open() != 0)
        fail("%u of %u frames are free after the last session", engine_.frames_free(),
             engine_.frames());
    if (engine_.pieces_free() != engine_.pieces() || device_.pieces_open() != 0)
        fail("%u of %u pieces are free after the last session", engine_.pieces_free(),
             engine_.pieces());
    if (engine_.chunks_promised() != 0) fail("%u chunks stay promised", engine_.chunks_promised());
    if (disk_.in_flight() + workers_.under_way() + store_.in_flight() != 0)
        fail("work is under way after the last session");
    uint32_t places = 0;
    while (store_.allocate().has_value()) ++places;
    if (places != store_.chunks_max())
        fail("%u of %u places are free after the last session", places, store_.chunks_max());
}

RunReport Simulation::run() {
    for (uint32_t step_number = 0; step_number < profile_.steps; ++step_number) step();
    disk_.stop_faults();
    device_.stop_faults();
    clients_.finish();
    settle("finish", [&] { return clients_.is_finished() && engine_.is_idle(); });
    clients_.read_all();
    settle("read", [&] { return clients_.is_finished() && engine_.is_idle(); });
    clients_.close_all();
    settle("close", [&] { return clients_.is_closed() && engine_.is_idle(); });
    check_leaks();
    return report();
}

RunReport Simulation::report() const {
    RunReport report;
    report.trace_hash = trace_.hash();
    report.operations = clients_.operations();
    report.words_checked = oracle_.words_checked();
    report.losses = oracle_.losses();
    report.expired = clients_.expired();
    for (size_t fault = 0; fault < faults; ++fault)
        for (const FaultCounts* counts :
             {&faults_, &device_.faults(), &disk_.faults(), &clients_.faults()})
            report.fault_counts[fault] += (*counts)[static_cast<Fault>(fault)];
    report.marks = marks_;
    for (const MarkSet& more : {device_.marks(), disk_.marks(), clients_.marks()})
        report.marks.add(more);
    const SessionStats total = engine_.total_stats();
    const auto mark_if = [&](bool seen, Mark mark) {
        if (seen) report.marks.hit(mark);
    };
    mark_if(total.evictions > total.evictions_clean, Mark::evicted);
    mark_if(total.evictions_clean > 0, Mark::evicted_clean);
    mark_if(total.recalls > 0, Mark::recalled);
    mark_if(total.tag_failures > 0 && total.chunks_lost == 0, Mark::fetched_after_retry);
    mark_if(total.prefetches_used > 0, Mark::prefetch_used);
    mark_if(total.prefetches_wasted > 0, Mark::prefetch_wasted);
    mark_if(total.prefetches_in_order > 0, Mark::prefetch_in_order);
    mark_if(profile_.clients.declares && total.prefetches_used > 0, Mark::declared_ahead);
    mark_if(total.write_failures > 0, Mark::write_refused);
    // Where there are no pieces, single blocks are those of sparse chunks.
    const bool has_pieces = profile_.device.pieces > 0;
    mark_if(has_pieces && total.pieces_in > 0, Mark::piece_in);
    mark_if(has_pieces && total.pieces_out > total.pieces_written, Mark::piece_clean);
    mark_if(has_pieces && total.pieces_written > 0, Mark::piece_written);
    mark_if(has_pieces && total.gathers > 0, Mark::gathered);
    mark_if(!has_pieces && total.gathers > 0, Mark::given_way);
    mark_if(engine_.changes_to(EvictionRule::keep_old) > 0, Mark::kept_old);
    mark_if(engine_.changes_to(EvictionRule::recency) > 0, Mark::back_to_recency);
    if (total.chunks_lost < report.losses)
        fail("programs met %lu losses, the engine counts %lu", report.losses, total.chunks_lost);
    return report;
}

}  // namespace

RunReport simulate(uint64_t seed, const RunOptions& options) {
    return Simulation(seed, options).run();
}

}  // namespace ciuic::sim
