// SPDX-License-Identifier: Apache-2.0
//
// The hit path: acquire and release of memory that is on the device already. No message, no system
// call; the target is a median of at most 30 ns for one chunk.
//
//     hit_path_bench --benchmark_repetitions=20 --benchmark_format=json
//
// prints median and spread. An embedded session of 8 frames; skipped where there is no host device.
#include "ciuic/vmm.hpp"

#include <benchmark/benchmark.h>

namespace {

constexpr uint64_t chunk_bytes = 2 << 20;

struct Held {
    ciuic::vmm::Session session;
    ciuic::vmm::Region region;
    const char* refusal = nullptr;

    Held() {
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_EMBEDDED;
        options.budget_bytes = 8 * chunk_bytes;
        options.store_bytes = 8 * chunk_bytes;
        if (session.open(&options) != CIUIC_OK ||
            region.create(session, 4 * chunk_bytes) != CIUIC_OK)
            refusal = ciuic_last_error_text();
    }
};

// One session for all benchmarks and threads of the process.
const Held& held() {
    static const Held session;
    return session;
}

void acquire_and_release(benchmark::State& state) {
    const Held& memory = held();
    if (memory.refusal) return state.SkipWithError(memory.refusal);
    const auto chunks = static_cast<uint64_t>(state.range(0));
    const ciuic_range range{memory.region.get(), 0, chunks * chunk_bytes};
    for (auto _ : state) {
        if (ciuic_acquire(memory.session, &range, 1, CIUIC_READ, nullptr) != CIUIC_OK ||
            ciuic_release(memory.session, &range, 1, nullptr) != CIUIC_OK)
            return state.SkipWithError(ciuic_last_error_text());
    }
}
BENCHMARK(acquire_and_release)->ArgName("chunks")->Arg(1)->Arg(4);
// Threads on one chunk share its pin word: the cost of the cache line that travels.
BENCHMARK(acquire_and_release)->ArgName("chunks")->Arg(1)->Threads(2)->UseRealTime();

}  // namespace
