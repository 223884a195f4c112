// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_pool.hpp"

#include "base/check.hpp"
#include "limits.hpp"
#include "store/tag.hpp"

#include <cstring>

namespace ciuic {

Result<std::unique_ptr<Workers>> WorkerPool::create(uint32_t threads) {
    if (threads == 0) return Error{Errc::invalid, 0, "a worker pool needs at least one thread"};
    CIUIC_TRY(std::unique_ptr<Pool> pool,
              Pool::create("ciuic-worker", threads, limits::jobs_max, work));
    return std::unique_ptr<Workers>(new WorkerPool(std::move(pool)));
}

void WorkerPool::submit(const Job& job) { CIUIC_CHECK(pool_->submit(job)); }

uint64_t WorkerPool::work(const Job& job) {
    switch (job.kind) {
    case JobKind::hash: hash_blocks(job.data, job.block_bytes, job.hashes); break;
    case JobKind::zero: std::memset(job.data.data(), 0, job.data.size()); break;
    }
    return job.token;
}

}  // namespace ciuic
