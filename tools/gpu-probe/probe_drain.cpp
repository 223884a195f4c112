// SPDX-License-Identifier: Apache-2.0
//
// Whether the host may unmap a range as soon as the one event recorded behind the range's last
// kernel is complete, while other streams keep the card and the neighbouring addresses busy.
//
// The method: one slot of address space between two neighbours, and two handles that take turns
// in it. In round r the slot's handle is filled with the pattern of seed r; then event, unmap,
// map of the other handle, and a check that it still holds the pattern of round r - 1. So a write
// that lands late, in the wrong memory or not at all, and a read through an old translation, each
// show as words that differ; an access to the unmapped slot ends the context.
#include <algorithm>

#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr uint64_t NEIGHBOUR_SEED = 1'000'000'007;
constexpr uint64_t FIRST_SEED = 2'000'000'011;

// Keeps kernels that read both neighbours queued on a stream nobody waits for.
class NeighbourLoad {
public:
    NeighbourLoad(Session& session, const Range& range, size_t chunk)
        : session_(session), range_(range), chunk_(chunk), stream_(session.cu),
          tail_(session.cu, EVENT_DISABLE_TIMING) {}

    // True if the stream was still busy, so that the round before ran beside it.
    bool top_up() {
        const bool busy = started_ && !tail_.done();
        if (!busy) {
            for (const size_t slot : {0, 2}) {
                session_.kernels().verify(stream_.get(), range_.at(slot * chunk_), chunk_,
                                          NEIGHBOUR_SEED + slot, session_.mismatches(), passes_,
                                          25);
            }
            tail_.record(stream_);
            started_ = true;
            passes_ = std::min<uint32_t>(passes_ * 2, 4096);
        }
        return busy;
    }

private:
    Session& session_;
    const Range& range_;
    size_t chunk_;
    Stream stream_;
    Event tail_;
    bool started_ = false;
    uint32_t passes_ = 16;
};

// What happens in the slot before the event: a kernel's writes; or those and then a copy to the
// host, as an eviction does.
enum class Use { kernel, kernel_and_copy };

struct DrainResult {
    Samples wait_us, unmap_us, map_us;
    uint64_t rounds = 0;
    uint64_t rounds_beside_load = 0;
    uint64_t wrong_copies = 0;
};

bool copy_right(const PinnedBuffer& copy, uint64_t seed) {
    const auto* words = reinterpret_cast<const uint64_t*>(copy.data());
    for (size_t i = 0; i < copy.size_bytes() / sizeof *words; i += 509)
        if (words[i] != (seed + i) * PATTERN_FACTOR) return false;
    return true;
}

void run_rounds(Session& session, Range& range, const Memory (&turns)[2], Use use,
                const PinnedBuffer& copy, double seconds, DrainResult& result) {
    const size_t chunk = turns[0].size_bytes();
    Stream stream(session.cu);
    Event used(session.cu, EVENT_DISABLE_TIMING);
    NeighbourLoad load(session, range, chunk);
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6));
    for (uint64_t round = 1; std::chrono::steady_clock::now() < end && !session.past_deadline();
         ++round) {
        if (load.top_up()) result.rounds_beside_load++;
        const uint64_t seed = FIRST_SEED + round;
        session.kernels().fill(stream.get(), range.at(chunk), chunk, seed, 4, 50);
        if (use == Use::kernel_and_copy)
            session.cu.copy_async(copy.address(), range.at(chunk), chunk, stream.get());
        used.record(stream);
        result.wait_us.push_back(time_us([&] { used.synchronize(); }));
        result.unmap_us.push_back(time_us([&] { range.unmap(chunk, chunk); }));
        result.map_us.push_back(
            time_us([&] { range.map_and_allow(chunk, turns[(round + 1) % 2]); }));
        session.kernels().verify(stream.get(), range.at(chunk), chunk, seed - 1,
                                 session.mismatches(), 1, 50);
        if (use == Use::kernel_and_copy && !copy_right(copy, seed)) result.wrong_copies++;
        result.rounds++;
    }
    stream.synchronize();
}

void measure_drain(Session& session, Reporter& report, const std::string& prefix, size_t size_mib,
                   Use use, double seconds) {
    const size_t chunk = session.rounded(size_mib * MIB);
    const Memory before(session, Where::device, chunk);
    const Memory after(session, Where::device, chunk);
    const Memory turns[2] = {Memory(session, Where::device, chunk),
                             Memory(session, Where::device, chunk)};
    const PinnedBuffer copy(session, chunk, -1);
    Range range(session, 3 * chunk);
    range.map_and_allow(0, before);
    range.map_and_allow(2 * chunk, after);
    session.fill_and_wait(range.at(0), chunk, NEIGHBOUR_SEED);
    session.fill_and_wait(range.at(2 * chunk), chunk, NEIGHBOUR_SEED + 2);
    // Round 1 works in turns[1] and then expects round 0's pattern in turns[0].
    range.map_and_allow(chunk, turns[0]);
    session.fill_and_wait(range.at(chunk), chunk, FIRST_SEED);
    range.unmap(chunk, chunk);
    range.map_and_allow(chunk, turns[1]);
    session.reset_mismatches();

    DrainResult result;
    const bool healthy = report.attempt(prefix + "context_error", [&] {
        run_rounds(session, range, turns, use, copy, seconds, result);
        session.cu.context_synchronize();
    });
    report.number(prefix + "rounds", static_cast<double>(result.rounds));
    report.number(prefix + "rounds_beside_load", static_cast<double>(result.rounds_beside_load));
    report.flag(prefix + "context_healthy", healthy);
    if (healthy) {
        const uint64_t wrong = session.read_mismatches();
        report.number(prefix + "wrong_words", static_cast<double>(wrong));
        if (use == Use::kernel_and_copy)
            report.number(prefix + "wrong_copies", static_cast<double>(result.wrong_copies));
        report.flag(prefix + "event_drain_suffices",
                    wrong == 0 && result.wrong_copies == 0 && result.rounds_beside_load > 0);
    }
    report.samples(prefix + "event_wait_us", result.wait_us);
    report.samples(prefix + "unmap_us", result.unmap_us);
    report.samples(prefix + "map_access_us", result.map_us);
}

void measure_drains(const Settings& settings, Reporter& report, Use use, const char* name) {
    Session session(settings);
    for (const size_t size_mib : {2, 32}) {
        const std::string prefix = std::to_string(size_mib) + "_mib." + name;
        report.attempt(prefix + "setup", [&] {
            measure_drain(session, report, prefix, size_mib, use, settings.quick ? 1 : 5);
        });
    }
}

}  // namespace

void probe_drain(const Settings& settings, Reporter& report) {
    measure_drains(settings, report, Use::kernel, "after_kernel.");
}

void probe_drain_copy(const Settings& settings, Reporter& report) {
    measure_drains(settings, report, Use::kernel_and_copy, "after_copy.");
}

// The control of the probe above: no wait at all. Says whether cuMemUnmap itself waits for a kernel
// that uses the range, and whether the fault that is expected otherwise is seen.
void probe_unmap_in_use(const Settings& settings, Reporter& report) {
    Session session(settings);
    const size_t bytes = session.rounded(32 * MIB);
    const Memory memory(session, Where::device, bytes);
    Range range(session, bytes);
    range.map_and_allow(0, memory);
    Stream stream(session.cu);
    Event ended(session.cu, EVENT_DISABLE_TIMING);
    session.kernels().fill(stream.get(), range.at(), bytes, 1);
    stream.synchronize();

    session.kernels().fill(stream.get(), range.at(), bytes, 1, 2000);
    ended.record(stream);
    const bool was_running = !ended.done();
    const double us = time_us([&] { range.unmap(0, bytes); });
    const Status query = session.cu.event_query.raw(ended.get());
    report.flag("kernel_was_running", was_running);
    report.number("unmap_us", us);
    report.flag("unmap_waited_for_kernel", query == 0);
    const Status end = session.cu.stream_synchronize.raw(stream.get());
    report.flag("context_survived", end == 0);
    if (end != 0) report.text("context_error", CallFailed("cuStreamSynchronize", end).what());
}

}  // namespace ciuic::probe
