// SPDX-License-Identifier: Apache-2.0
//
// Streaming read where every chunk misses: a region of several budgets is filled with a pattern and
// sent to the store, then read from end to end, word by word, and every word is compared.
//
// One JSON line per pass. The run fails when a word is wrong or when less than 90 % came from
// the store. The rate is that of the bytes that came from there: what a pass hits does not count.
//
// usage: stream_bench [--smoke] [--daemon SOCKET] [--budget-mib N] [--region-mib N] [--passes N]
//                     [--store DIR] [--wait]
// --wait: a pass starts only when a line comes in on standard input, so that another program can
// have its turn in between.
#include "ciuic/vmm.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

struct Options {
    const char* socket = nullptr;
    const char* store = "/var/tmp";
    uint64_t budget_mib = 256;
    uint64_t region_mib = 1024;
    int passes = 5;
    bool wait = false;
};

double seconds() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

[[noreturn]] void fail(const char* what, ciuic_status status) {
    std::fprintf(stderr, "stream_bench: %s: %s: %s\n", what, ciuic_status_text(status),
                 ciuic_last_error_text());
    // 77: this machine lacks what is needed (userfaultfd, a kernel feature).
    std::exit(status == CIUIC_E_UNSUPPORTED ? 77 : 1);
}

Options parse(int count, char** arguments) {
    Options options;
    for (int index = 1; index < count; ++index) {
        const std::string name = arguments[index];
        const auto value = [&] { return index + 1 < count ? arguments[++index] : ""; };
        if (name == "--smoke")
            options.budget_mib = 32, options.region_mib = 96, options.passes = 1;
        else if (name == "--daemon")
            options.socket = value();
        else if (name == "--store")
            options.store = value();
        else if (name == "--budget-mib")
            options.budget_mib = std::strtoull(value(), nullptr, 10);
        else if (name == "--region-mib")
            options.region_mib = std::strtoull(value(), nullptr, 10);
        else if (name == "--passes")
            options.passes = std::atoi(value());
        else if (name == "--wait")
            options.wait = true;
        else
            std::fprintf(stderr, "stream_bench: unknown option %s\n", name.c_str()), std::exit(2);
    }
    return options;
}

ciuic_session* open_session(const Options& options) {
    ciuic_options wanted{};
    wanted.struct_size = sizeof wanted;
    wanted.mode = options.socket ? CIUIC_MODE_DAEMON : CIUIC_MODE_EMBEDDED;
    wanted.socket_path = options.socket;
    wanted.store_path = options.socket ? nullptr : options.store;
    wanted.budget_bytes = options.socket ? 0 : options.budget_mib << 20;
    wanted.store_bytes = options.socket ? 0 : options.region_mib << 20;
    ciuic_session* session = nullptr;
    if (const ciuic_status status = ciuic_open(&wanted, &session); status != CIUIC_OK)
        fail("cannot open a session", status);
    return session;
}

ciuic_statistics statistics(ciuic_session* session) {
    ciuic_statistics now{};
    now.struct_size = sizeof now;
    if (const ciuic_status status = ciuic_stats(session, &now); status != CIUIC_OK)
        fail("cannot read the statistics", status);
    return now;
}

uint64_t word_at(uint64_t index) { return (index + 1) * 0x9e3779b97f4a7c15u; }

uint64_t count_wrong(const uint64_t* words, uint64_t count) {
    uint64_t wrong = 0;
    for (uint64_t index = 0; index < count; ++index) wrong += words[index] != word_at(index);
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
    const Options options = parse(count, arguments);
    ciuic_session* session = open_session(options);
    const uint64_t bytes = options.region_mib << 20;
    const uint64_t words = bytes / sizeof(uint64_t);
    void* memory = nullptr;
    if (const ciuic_status status = ciuic_alloc(session, bytes, &memory); status != CIUIC_OK)
        fail("cannot allocate", status);
    auto* data = static_cast<uint64_t*>(memory);
    for (uint64_t index = 0; index < words; ++index) data[index] = word_at(index);

    int status = 0;
    for (int pass = 0; pass < options.passes && status == 0; ++pass) {
        if (options.wait && std::getchar() == EOF) break;
        const ciuic_range all{nullptr, reinterpret_cast<uint64_t>(memory), bytes};
        if (const ciuic_status sent = ciuic_advise(session, &all, 1, CIUIC_ADVICE_COLD);
            sent != CIUIC_OK)
            fail("cannot send the region to the store", sent);
        const ciuic_statistics before = statistics(session);
        const double start = seconds();
        const uint64_t wrong = count_wrong(data, words);
        const double took = seconds() - start;
        const ciuic_statistics after = statistics(session);
        print_pass(pass, bytes, took, before, after);
        const uint64_t read = after.store_bytes_read - before.store_bytes_read;
        if (wrong > 0 || read < bytes / 10 * 9) {
            std::fprintf(stderr, "stream_bench: %llu wrong words, %llu bytes read from the store\n",
                         static_cast<unsigned long long>(wrong),
                         static_cast<unsigned long long>(read));
            status = 1;
        }
    }
    ciuic_free(session, memory);
    ciuic_close(session);
    return status;
}
