// SPDX-License-Identifier: Apache-2.0
//
// The worker port: CPU work of a move (hashing, zeroing: 0.1 ms per 2 MiB) off the engine's thread.
//
// Adapters: worker_pool.cpp (threads), and the simulator's, which finishes jobs in any order.
// Threads: submit() and drain() on the engine's thread only. Worker threads block all signals,
// allocate nothing and touch only the job's bytes, which are always present.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

enum class JobKind : uint8_t {
    hash,  // content hashes of `data`'s blocks into `hashes`
    zero,  // zeros over `data`
};

struct Job {
    JobKind kind = JobKind::hash;
    std::span<std::byte> data;
    uint64_t block_bytes = 0;
    std::span<uint64_t> hashes;  // data.size() / block_bytes entries
    uint64_t token = 0;
};

class Workers {
public:
    virtual ~Workers() = default;

    // At most limits::jobs_max jobs are under way: the engine has no more moves than that.
    virtual void submit(const Job& job) = 0;
    // Tokens of finished jobs; returns how many. Never blocks.
    virtual size_t drain(std::span<uint64_t> tokens) = 0;
    // Readable while drain() would return something.
    virtual int event_fd() const = 0;
};

}  // namespace ciuic
