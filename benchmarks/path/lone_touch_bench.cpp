// SPDX-License-Identifier: Apache-2.0
//
// Lone touches that all miss: one word of every chunk, chunks in random order, each touch timed.
//
// One JSON line per pass. The run fails when a word is wrong or when a touch was not read from the
// store.
//
// usage: lone_touch_bench, with the options of paged_region.hpp
#include "benchmarks/path/paged_region.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <vector>

namespace {

using ciuic::bench::PagedRegion;

// Microseconds, sorted.
std::vector<double> touch_all(const PagedRegion& region, uint64_t chunk_words,
                              ciuic::Random& random, uint64_t& wrong) {
    std::vector<uint64_t> chunks(region.count() / chunk_words);
    std::iota(chunks.begin(), chunks.end(), 0);
    for (uint64_t left = chunks.size(); left > 1; --left)
        std::swap(chunks[left - 1], chunks[random.below(left)]);
    std::vector<double> took_us;
    took_us.reserve(chunks.size());
    for (const uint64_t chunk : chunks) {
        const uint64_t index = chunk * chunk_words + random.below(chunk_words);
        const double start = ciuic::bench::seconds_now();
        const auto* word = static_cast<const volatile uint64_t*>(&region.words()[index]);
        wrong += *word != PagedRegion::word_at(index);
        took_us.push_back((ciuic::bench::seconds_now() - start) * 1e6);
    }
    std::sort(took_us.begin(), took_us.end());
    return took_us;
}

}  // namespace

int main(int count, char** arguments) {
    PagedRegion region(ciuic::bench::parse_options(count, arguments));
    ciuic::Random random(1);
    for (int pass = 0; region.begin_pass(pass); ++pass) {
        const ciuic_statistics before = region.statistics();
        uint64_t wrong = 0;
        const std::vector<double> took_us =
            touch_all(region, before.chunk_bytes / sizeof(uint64_t), random, wrong);
        const ciuic_statistics after = region.statistics();
        const auto faults = static_cast<unsigned long long>(after.faults - before.faults);
        const auto read =
            static_cast<unsigned long long>(after.store_bytes_read - before.store_bytes_read);
        std::printf("{\"pass\": %d, \"touches\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, "
                    "\"faults\": %llu, \"pieces_in\": %llu, \"store_bytes_read\": %llu}\n",
                    pass, took_us.size(), took_us[took_us.size() / 2],
                    took_us[took_us.size() * 9 / 10], faults,
                    static_cast<unsigned long long>(after.pieces_in - before.pieces_in), read);
        std::fflush(stdout);
        // Neighbours by chance are prefetched; all others are misses of a block at least.
        if (wrong == 0 && faults >= took_us.size() / 10 * 9 && read >= faults * 65536) continue;
        std::fprintf(stderr, "lone_touch_bench: %llu wrong words, %llu faults, %llu bytes read\n",
                     static_cast<unsigned long long>(wrong), faults, read);
        return 1;
    }
    return 0;
}
