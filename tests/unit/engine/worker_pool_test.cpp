// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_pool.hpp"

#include "base/random.hpp"
#include "base/units.hpp"
#include "limits.hpp"
#include "store/tag.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <set>
#include <vector>

namespace ciuic {
namespace {

uint64_t next_token(Workers& workers) {
    uint64_t token = 0;
    while (workers.drain({&token, 1}) == 0) {
        pollfd event{workers.event_fd(), POLLIN, 0};
        ::poll(&event, 1, -1);
    }
    return token;
}

// Goal: each job's work is done on its own bytes before its token comes back. Method: as many jobs
// as the engine ever has, hashing and zeroing neighbouring parts of one buffer, checked against
// the same work done here.
TEST(WorkerPool, DoesEachJobBeforeItsTokenReturns) {
    auto workers = *WorkerPool::create(3);
    constexpr uint64_t part_bytes = 64 * KiB;
    constexpr uint64_t block_bytes = 16 * KiB;
    constexpr uint64_t blocks = part_bytes / block_bytes;
    std::vector<std::byte> bytes(limits::jobs_max * part_bytes);
    std::vector<uint64_t> hashes(limits::jobs_max * blocks);
    Random random(1);

    for (int round = 0; round < 20; ++round) {
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() | 1);
        for (uint64_t job = 0; job < limits::jobs_max; ++job)
            workers->submit({.kind = job % 2 == 0 ? JobKind::hash : JobKind::zero,
                             .data = std::span(bytes).subspan(job * part_bytes, part_bytes),
                             .block_bytes = block_bytes,
                             .hashes = std::span(hashes).subspan(job * blocks, blocks),
                             .token = ~job});
        std::set<uint64_t> tokens;
        std::vector<uint64_t> wanted(blocks);
        while (tokens.size() < limits::jobs_max) {
            const uint64_t token = next_token(*workers);
            ASSERT_TRUE(tokens.insert(token).second);
            const uint64_t job = ~token;
            const auto part = std::span(bytes).subspan(job * part_bytes, part_bytes);
            if (job % 2 == 0) {
                hash_blocks(part, block_bytes, wanted);
                ASSERT_TRUE(std::equal(wanted.begin(), wanted.end(), &hashes[job * blocks]));
            } else {
                ASSERT_TRUE(std::all_of(part.begin(), part.end(),
                                        [](std::byte byte) { return byte == std::byte{0}; }));
            }
        }
    }
}

// Goal: a pool that could never finish a job is refused, and a caller that exceeds the engine's
// own bound is stopped. Method: no threads; one job too many.
TEST(WorkerPoolDeathTest, HasBounds) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EQ(WorkerPool::create(0).error().code, Errc::invalid);
    EXPECT_DEATH(
        {
            auto workers = *WorkerPool::create(1);
            std::byte byte{};
            for (uint32_t job = 0; job <= limits::jobs_max; ++job)
                workers->submit({JobKind::zero, {&byte, 1}, 0, {}, job});
        },
        "broken invariant");
}

}  // namespace
}  // namespace ciuic
