// SPDX-License-Identifier: Apache-2.0
#include "tests/gate/writers.hpp"

#include "base/check.hpp"
#include "base/random.hpp"

#include <unistd.h>

#include <thread>
#include <vector>

namespace ciuic {

namespace {

constexpr uint64_t burst_writes = 256;
constexpr uint64_t bursts_per_system_call = 16;

class Writer {
public:
    Writer(std::span<std::byte> space, const WriterOptions& options, uint32_t thread,
           WriterResult& result)
        : words_(reinterpret_cast<std::atomic<uint64_t>*>(space.data())),
          words_per_chunk_(options.chunk_bytes / sizeof(uint64_t)),
          chunks_(space.size() / options.chunk_bytes), options_(options), thread_(thread),
          result_(result), random_(options.seed * 1000 + thread),
          shadow_(space.size() / sizeof(uint64_t) / options.threads) {
        CIUIC_CHECK(::pipe(pipe_) == 0);
    }
    ~Writer() {
        ::close(pipe_[0]);
        ::close(pipe_[1]);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void run() {
        const uint64_t bursts = options_.writes / options_.threads / burst_writes;
        for (uint64_t burst = 0; burst < bursts; ++burst) {
            const uint64_t chunk = random_.below(chunks_);
            for (uint64_t write = 0; write < burst_writes; ++write) count_up(own_word(chunk));
            if (burst % bursts_per_system_call == 0) count_up_by_kernel(own_word(chunk));
            result_.writes.fetch_add(burst_writes, std::memory_order_relaxed);
            if (options_.stop_at_loss && result_.lost.load(std::memory_order_relaxed) > 0) return;
        }
    }

private:
    // Threads' words are interleaved, so that every chunk and page has words of each.
    uint64_t own_word(uint64_t chunk) {
        const uint64_t slots = words_per_chunk_ / options_.threads;
        return chunk * words_per_chunk_ + random_.below(slots) * options_.threads + thread_;
    }

    uint64_t& check(uint64_t word) {
        uint64_t& expected = shadow_[word / options_.threads];
        const uint64_t found = words_[word].load(std::memory_order_relaxed);
        if (found != expected) {
            result_.lost.fetch_add(1, std::memory_order_relaxed);
            expected = found;  // report each loss once
        }
        return expected;
    }

    void count_up(uint64_t word) {
        uint64_t& expected = check(word);
        words_[word].store(++expected, std::memory_order_relaxed);
    }

    void count_up_by_kernel(uint64_t word) {
        const uint64_t value = ++check(word);
        CIUIC_CHECK(::write(pipe_[1], &value, sizeof value) == sizeof value);
        CIUIC_CHECK(::read(pipe_[0], static_cast<void*>(&words_[word]), sizeof value) ==
                    sizeof value);
    }

    std::atomic<uint64_t>* words_;
    uint64_t words_per_chunk_;
    uint64_t chunks_;
    const WriterOptions& options_;
    uint32_t thread_;
    WriterResult& result_;
    Random random_;
    std::vector<uint64_t> shadow_;
    int pipe_[2]{};
};

}  // namespace

void run_writers(std::span<std::byte> space, const WriterOptions& options, WriterResult& result) {
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < options.threads; ++thread)
        threads.emplace_back([&, thread] { Writer(space, options, thread, result).run(); });
    for (std::thread& thread : threads) thread.join();
    result.finished.store(true);
}

}  // namespace ciuic
