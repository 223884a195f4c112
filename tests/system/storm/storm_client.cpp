// SPDX-License-Identifier: Apache-2.0
//
// A client that knows what every byte of its memory should be, and can be killed at any instant.
//
//     storm_client SOCKET LOG RECORD SEED CHUNKS
//
// Fills a region of CHUNKS chunks, then reads, writes, pins, discards, moves out and allocates anew
// at random until SIGTERM, which its parent may have blocked; then verifies all of it. Silent
// unless something is wrong. What a page holds follows from the seed, the page and its version; the
// versions are in ordinary memory.
//
// Exit status: 0; 2 usage; 3 a wrong byte; 4 a call that failed. Record RECORD of the file LOG (a
// StormRecord each) has the counts and the waits.
// Threads: one.
#include "base/mapping.hpp"
#include "base/random.hpp"
#include "base/unique_fd.hpp"
#include "ciuic/vmm.h"
#include "tests/system/storm/log.hpp"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t words_per_page = page_bytes / sizeof(uint64_t);
constexpr uint32_t run_pages_max = 256;  // of one step: half a chunk

volatile std::sig_atomic_t asked_to_stop = 0;

uint64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void require(ciuic_status status, const char* what) {
    if (status == CIUIC_OK) return;
    std::fprintf(stderr, "storm_client: %s: %s (%s)\n", what, ciuic_status_text(status),
                 ciuic_last_error_text());
    std::_Exit(4);
}

class StormClient {
public:
    StormClient(const char* socket, StormRecord& record, uint64_t seed, uint64_t chunks)
        : record_(record), random_(seed), salt_(random_.next()) {
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_DAEMON;
        options.socket_path = socket;
        options.name = "storm";
        require(ciuic_open(&options, &session_), "open");
        ciuic_statistics facts{};
        facts.struct_size = sizeof facts;
        require(ciuic_stats(session_, &facts), "stats");
        chunk_bytes_ = facts.chunk_bytes;
        region_ = create(chunks * chunk_bytes_);
        words_ = static_cast<uint64_t*>(ciuic_region_address(region_));
        versions_.resize(chunks * chunk_bytes_ / page_bytes);
    }

    void fill() {
        for (uint64_t page = 0; page < versions_.size() && !asked_to_stop; ++page) write(page);
    }

    void step() {
        const uint64_t pages_per_chunk = chunk_bytes_ / page_bytes;
        const uint64_t chunks = versions_.size() / pages_per_chunk;
        const uint64_t chunk = random_.below(chunks);
        const uint64_t first = random_.below(versions_.size());
        const uint64_t end =
            std::min<uint64_t>(first + 1 + random_.below(run_pages_max), versions_.size());
        const uint64_t dice = random_.below(100);
        if (dice < 45)
            for (uint64_t page = first; page < end; ++page) verify(page);
        else if (dice < 85)
            for (uint64_t page = first; page < end; ++page) write(page);
        else if (dice < 90)
            use_pinned(chunk);
        else if (dice < 93)
            discard(chunk);
        else if (dice < 95)
            advise(chunk, CIUIC_ADVICE_COLD);
        else if (dice < 97)
            advise(chunk, CIUIC_ADVICE_WILLNEED);
        else
            use_new_memory();
    }

    void finish() {
        for (uint64_t page = 0; page < versions_.size(); ++page) verify(page);
        require(ciuic_close(session_), "close");
    }

private:
    ciuic_region* create(uint64_t size_bytes) {
        ciuic_region_options wanted{};
        wanted.struct_size = sizeof wanted;
        wanted.size_bytes = size_bytes;
        ciuic_region* region = nullptr;
        require(ciuic_region_create(session_, &wanted, &region), "region_create");
        return region;
    }

    // Version 0: never written, all zero.
    uint64_t expected(uint64_t page, uint32_t version, uint64_t word) const {
        if (version == 0) return 0;
        const uint64_t mixed = (salt_ ^ page << 32 ^ version) * 0x9e3779b97f4a7c15u;
        return mixed + word * 0xbf58476d1ce4e5b9u;
    }

    void expect_page(const uint64_t* memory, uint64_t page, uint32_t version) {
        const uint64_t before = now_ns();
        const uint64_t touched = *static_cast<const volatile uint64_t*>(memory);
        record_.add_wait(now_ns() - before);
        for (uint64_t word = 0; word < words_per_page; ++word) {
            const uint64_t found = word == 0 ? touched : memory[word];
            if (found == expected(page, version, word)) continue;
            std::fprintf(
                stderr, "storm_client: page %llu version %u word %llu holds %#llx, not %#llx\n",
                static_cast<unsigned long long>(page), version,
                static_cast<unsigned long long>(word), static_cast<unsigned long long>(found),
                static_cast<unsigned long long>(expected(page, version, word)));
            std::_Exit(3);
        }
    }

    void verify(uint64_t page) {
        expect_page(words_ + page * words_per_page, page, versions_[page]);
        record_.pages_verified.fetch_add(1, std::memory_order_relaxed);
    }

    void write(uint64_t page) {
        uint64_t* memory = words_ + page * words_per_page;
        const uint32_t version = ++versions_[page];
        const uint64_t before = now_ns();
        *static_cast<volatile uint64_t*>(memory) = expected(page, version, 0);
        record_.add_wait(now_ns() - before);
        for (uint64_t word = 1; word < words_per_page; ++word)
            memory[word] = expected(page, version, word);
        record_.pages_written.fetch_add(1, std::memory_order_relaxed);
    }

    ciuic_range range_of(uint64_t chunk) const {
        return {region_, chunk * chunk_bytes_, chunk_bytes_};
    }

    // The chunk stays while it is pinned, which may be for as long as this process is stopped.
    void use_pinned(uint64_t chunk) {
        const ciuic_range range = range_of(chunk);
        const uint64_t before = now_ns();
        require(ciuic_acquire(session_, &range, 1, CIUIC_READ | CIUIC_WRITE, nullptr), "acquire");
        record_.add_wait(now_ns() - before);
        const uint64_t pages = chunk_bytes_ / page_bytes;
        for (uint64_t page = chunk * pages; page < (chunk + 1) * pages; ++page) {
            verify(page);
            if (page % 4 == 0) write(page);
        }
        require(ciuic_release(session_, &range, 1, nullptr), "release");
    }

    void discard(uint64_t chunk) {
        advise(chunk, CIUIC_ADVICE_DISCARD);
        const uint64_t pages = chunk_bytes_ / page_bytes;
        std::fill_n(&versions_[chunk * pages], pages, 0u);
    }

    void advise(uint64_t chunk, ciuic_advice advice) {
        const ciuic_range range = range_of(chunk);
        require(ciuic_advise(session_, &range, 1, advice), "advise");
    }

    // Memory that others have had, perhaps: nothing of theirs may be in it.
    void use_new_memory() {
        const uint64_t size_bytes = (1 + random_.below(2)) * chunk_bytes_;
        ciuic_region* region = create(size_bytes);
        auto* memory = static_cast<uint64_t*>(ciuic_region_address(region));
        for (uint64_t page = 0; page < size_bytes / page_bytes; ++page) {
            expect_page(memory + page * words_per_page, page, 0);
            record_.fresh_pages.fetch_add(1, std::memory_order_relaxed);
            memory[page * words_per_page + page % words_per_page] = salt_ | 1;
        }
        require(ciuic_region_destroy(region), "region_destroy");
    }

    StormRecord& record_;
    Random random_;
    uint64_t salt_;
    ciuic_session* session_ = nullptr;
    ciuic_region* region_ = nullptr;
    uint64_t* words_ = nullptr;
    uint64_t chunk_bytes_ = 0;
    std::vector<uint32_t> versions_;  // of each page
};

int run(char** arguments) {
    const UniqueFd file(::open(arguments[2], O_RDWR | O_CLOEXEC));
    const uint64_t index = std::strtoull(arguments[3], nullptr, 0);
    const auto log = Mapping::create((index + 1) * sizeof(StormRecord), PROT_READ | PROT_WRITE,
                                     MAP_SHARED, file.get());
    if (!log) return 2;
    std::signal(SIGTERM, [](int) { asked_to_stop = 1; });
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    StormClient client(arguments[1], reinterpret_cast<StormRecord*>(log->data())[index],
                       std::strtoull(arguments[4], nullptr, 0),
                       std::strtoull(arguments[5], nullptr, 0));
    client.fill();
    while (!asked_to_stop) client.step();
    client.finish();
    return 0;
}

}  // namespace
}  // namespace ciuic::test

int main(int argc, char** argv) {
    if (argc == 6) return ciuic::test::run(argv);
    std::fprintf(stderr, "usage: storm_client SOCKET LOG RECORD SEED CHUNKS\n");
    return 2;
}
