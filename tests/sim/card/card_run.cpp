// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_run.hpp"

#include "base/check.hpp"
#include "engine/engine.hpp"
#include "tests/sim/card/card_client.hpp"
#include "tests/sim/card/card_io.hpp"
#include "tests/sim/card/card_time.hpp"
#include "tests/sim/card/card_workers.hpp"
#include "tests/sim/trace.hpp"

#include <algorithm>
#include <ctime>

namespace ciuic::sim {

namespace {

// A reserve of 128 MiB, at 16 MiB a chunk: what a stream needs on the card is in the description.
constexpr uint32_t free_frames = 8;

Nanos processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

uint32_t frames_of(const CardQuestion& question, uint32_t chunks) {
    const machine::Placement& placement = question.bounds.placement;
    const bool streams = placement.cold_bytes > 0;
    const uint64_t bytes = placement.room_bytes + (streams ? question.card.staging_bytes : 0);
    const uint64_t frames = bytes / question.chunk_bytes;
    // What fits has a frame for each chunk, and the reserve.
    const uint64_t most = uint64_t{chunks} + 2 * free_frames;
    return static_cast<uint32_t>(std::clamp<uint64_t>(frames, limits::frames_min, most));
}

// What the host's memory does not hold lies on its disk.
Striping striping_of(const CardQuestion& question, uint32_t chunks) {
    const auto needed = static_cast<double>(chunks * question.chunk_bytes);
    const double held = std::min(1.0, static_cast<double>(question.host.room_bytes()) / needed);
    return {static_cast<uint64_t>((1.0 - held) * Striping::whole)};
}

class CardRun {
public:
    explicit CardRun(const CardQuestion& question)
        : question_(question), program_(question.model, question.load, question.bounds,
                                        question.chunk_bytes, question.seed),
          frames_(frames_of(question, program_.chunks())),
          device_(question.card, frames_, question.chunk_bytes, program_.chunks(), clock_),
          striping_(striping_of(question, program_.chunks())),
          io_(question.card, question.host, striping_, question.chunk_bytes, clock_),
          workers_(question.card, device_, clock_),
          store_(io_, clock_,
                 {.capacity_bytes = program_.chunks() * question.chunk_bytes,
                  .chunk_bytes = question.chunk_bytes,
                  .block_bytes = limits::block_bytes_max,
                  .striping = striping_}),
          client_(device_, clock_, program_.chunks()),
          engine_(
              {device_, store_, workers_, clock_, client_},
              {.free_frames = free_frames,
               .prefetch_chunks_max = question.brings_ahead ? limits::prefetch_chunks_max : 0}) {
        client_.open(engine_);
    }

    CardAnswer run();

private:
    void do_steps(std::vector<ProgramStep> steps);
    bool tick();
    void wait();

    CardQuestion question_;
    CardProgram program_;
    uint32_t frames_;
    SimClock clock_;
    CardDevice device_;
    Striping striping_;
    CardIo io_;
    CardWorkers workers_;
    SwapStore store_;
    CardClient client_;
    Engine engine_;
    Nanos engine_time_;
};

bool CardRun::tick() {
    const Nanos before = processor_time();
    const bool again = engine_.tick();
    const Nanos taken = processor_time() - before;
    engine_time_ = engine_time_ + taken;
    if (question_.charges_processor) clock_.advance(taken);
    return again;
}

// Until something happens.
void CardRun::wait() {
    std::optional<Nanos> first;
    for (const auto& next : {io_.next(), workers_.next(), client_.next()})
        if (next && (!first || *next < *first)) first = next;
    // The owner waits no longer than the engine asks it to.
    if (!first && engine_.is_idle()) fail("nothing is under way and the program waits");
    if (!first) return clock_.advance(engine_.wait_max());
    if (*first > clock_.now()) clock_.advance(*first - clock_.now());
}

void CardRun::do_steps(std::vector<ProgramStep> steps) {
    client_.begin(std::move(steps));
    while (true) {
        bool again = client_.run();
        if (client_.is_done()) return;
        again |= tick();
        if (!again) wait();
    }
}

CardAnswer CardRun::run() {
    do_steps(program_.loading());
    const uint32_t skipped = question_.passes - std::max(1u, question_.passes / 2);
    CardAnswer answer;
    Nanos began, stalled, engine_began;
    uint64_t in_bytes = 0, out_bytes = 0, disk_bytes = 0;
    for (uint32_t pass = 0; pass < question_.passes; ++pass) {
        if (pass == skipped) {
            began = client_.at();
            stalled = client_.stalled();
            engine_began = engine_time_;
            in_bytes = io_.bytes_in();
            out_bytes = io_.bytes_out();
            disk_bytes = io_.disk_bytes();
        }
        do_steps(program_.pass());
    }
    const double passes = question_.passes - skipped;
    answer.frames = frames_;
    answer.chunks = program_.chunks();
    answer.pass_s = seconds_of(client_.at() - began) / passes;
    answer.stalled_s = seconds_of(client_.stalled() - stalled) / passes;
    answer.engine_s = seconds_of(engine_time_ - engine_began) / passes;
    answer.in_bytes = static_cast<double>(io_.bytes_in() - in_bytes) / passes;
    answer.out_bytes = static_cast<double>(io_.bytes_out() - out_bytes) / passes;
    answer.disk_bytes = static_cast<double>(io_.disk_bytes() - disk_bytes) / passes;
    answer.stats = client_.stats();
    answer.fraction = question_.bounds.native_s / answer.pass_s;
    answer.of_bound = answer.fraction / question_.bounds.stream_here.fraction;
    return answer;
}

}  // namespace

CardAnswer run_on_card(const CardQuestion& question) {
    CIUIC_CHECK(question.bounds.placement.is_possible && question.passes > 0);
    return CardRun(question).run();
}

}  // namespace ciuic::sim
