// SPDX-License-Identifier: Apache-2.0
//
// Streaming read where every chunk misses: the region is read from end to end, word by word, and
// every word is compared.
//
// One JSON line per pass. The run fails when a word is wrong or when less than 90 % came from
// the store. The rate is that of the bytes that came from there: what a pass hits does not count.
//
// usage: stream_bench, with the options of paged_region.hpp
#include "benchmarks/path/paged_region.hpp"

#include <cstdio>

namespace {

using ciuic::bench::PagedRegion;

uint64_t count_wrong(const PagedRegion& region) {
    uint64_t wrong = 0;
    for (uint64_t index = 0; index < region.count(); ++index)
        wrong += region.words()[index] != PagedRegion::word_at(index);
    return wrong;
}

void print_pass(int pass, uint64_t bytes, double took, const ciuic_statistics& before,
                const ciuic_statistics& after) {
    std::printf("{\"pass\": %d, \"bytes\": %llu, \"seconds\": %.6f, \"mb_per_s\": %.1f, "
                "\"store_bytes_read\": %llu, \"faults\": %llu, \"prefetches_used\": %llu, "
                "\"stall_seconds\": %.3f}\n",
                pass, static_cast<unsigned long long>(bytes), took,
                static_cast<double>(after.store_bytes_read - before.store_bytes_read) / took / 1e6,
                static_cast<unsigned long long>(after.store_bytes_read - before.store_bytes_read),
                static_cast<unsigned long long>(after.faults - before.faults),
                static_cast<unsigned long long>(after.prefetches_used - before.prefetches_used),
                static_cast<double>(after.stall_ns - before.stall_ns) / 1e9);
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    PagedRegion region(ciuic::bench::parse_options(count, arguments));
    for (int pass = 0; region.begin_pass(pass); ++pass) {
        const ciuic_statistics before = region.statistics();
        const double start = ciuic::bench::seconds_now();
        const uint64_t wrong = count_wrong(region);
        const double took = ciuic::bench::seconds_now() - start;
        const ciuic_statistics after = region.statistics();
        print_pass(pass, region.bytes(), took, before, after);
        const uint64_t read = after.store_bytes_read - before.store_bytes_read;
        if (wrong == 0 && read >= region.bytes() / 10 * 9) continue;
        std::fprintf(stderr, "stream_bench: %llu wrong words, %llu bytes read from the store\n",
                     static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(read));
        return 1;
    }
    return 0;
}
