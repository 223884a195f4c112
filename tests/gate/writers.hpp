// SPDX-License-Identifier: Apache-2.0
//
// Writers with private shadows: every thread owns some of the words of a space, counts each one up
// and remembers privately what it wrote last. A word that reads differently is a lost write (or
// bytes that were never written): nothing else can change it.
//
// One burst in 16 lets the kernel write the word (read(2) from a pipe into the space), because
// faults inside system calls take another path.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

struct WriterOptions {
    uint32_t threads = 2;
    uint64_t writes = 0;       // of all threads together
    uint64_t chunk_bytes = 0;  // a burst stays within one chunk
    uint64_t seed = 1;
    bool stop_at_loss = false;
};

// May lie in memory shared between processes.
struct WriterResult {
    std::atomic<uint64_t> writes{0};
    std::atomic<uint64_t> lost{0};
    std::atomic<bool> finished{false};
};

// Returns when all writes are done, or one was lost and `stop_at_loss`.
void run_writers(std::span<std::byte> space, const WriterOptions& options, WriterResult& result);

}  // namespace ciuic
