// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"
#include "base/units.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/client/small_session.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace ciuic {
namespace {

using test::SmallSession;

class EmbeddedSession : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(ChunkSizes, EmbeddedSession, testing::Values(64 * KiB, 2 * MiB),
                         [](const auto& size) { return std::to_string(size.param / KiB) + "KiB"; });

// Goal: four times the device memory holds what was written, however it is reached. Method: all of
// it written by touch, read back by touch in order, then at random with pins around; the
// statistics must say that it went to the store and came back.
TEST_P(EmbeddedSession, HoldsFourTimesItsDeviceMemory) {
    constexpr uint32_t chunks = 4 * SmallSession::frames;
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), chunks);
    vmm::Region region;
    ASSERT_EQ(region.create(small.session, chunks * small.chunk_bytes), CIUIC_OK);

    for (uint64_t chunk = 0; chunk < chunks; ++chunk) small.write(region.address(), chunk, 1);
    for (uint64_t chunk = 0; chunk < chunks; ++chunk)
        ASSERT_EQ(small.wrong_words(region.address(), chunk, 1), 0u) << "chunk " << chunk;

    std::vector<uint64_t> versions(chunks, 1);
    Random random(seed);
    for (uint64_t round = 2; round < 300; ++round) {
        const uint64_t chunk = random.below(chunks);
        vmm::Pin pin;
        ASSERT_EQ(pin.acquire(small.session,
                              {region.get(), chunk * small.chunk_bytes, small.chunk_bytes}),
                  CIUIC_OK)
            << ciuic_last_error_text();
        ASSERT_EQ(small.wrong_words(region.address(), chunk, versions[chunk]), 0u);
        if (random.chance(1, 2)) small.write(region.address(), chunk, versions[chunk] = round);
    }
    const ciuic_statistics statistics = small.statistics();
    EXPECT_GT(statistics.evictions, 0u);
    EXPECT_GT(statistics.fetches, 0u);
    EXPECT_GT(statistics.store_bytes_written, 0u);
    EXPECT_GT(statistics.store_bytes_read, 0u);
    EXPECT_LE(statistics.device_bytes_peak, statistics.budget_bytes);
    EXPECT_EQ(statistics.allocated_bytes, chunks * small.chunk_bytes);
    EXPECT_EQ(statistics.chunks_lost, 0u);
}

// Goal: threads that share a budget by touch alone never see each other's bytes or old ones.
// Method: each owns every third chunk and rewrites it with a new version in its own order.
TEST_P(EmbeddedSession, ThreadsKeepTheirBytesApart) {
    constexpr uint32_t chunks = 3 * SmallSession::frames;
    constexpr uint64_t threads = 3;
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), chunks);
    void* memory = nullptr;
    ASSERT_EQ(ciuic_alloc(small.session, chunks * small.chunk_bytes, &memory), CIUIC_OK);
    std::atomic<uint64_t> wrong{0};
    std::vector<std::thread> workers;
    for (uint64_t worker = 0; worker < threads; ++worker)
        workers.emplace_back([&, worker] {
            Random random(seed + worker);
            std::vector<uint64_t> versions(chunks, 0);
            for (uint64_t round = 1; round < 100; ++round) {
                const uint64_t chunk = random.below(chunks / threads) * threads + worker;
                if (versions[chunk] != 0)
                    wrong += small.wrong_words(memory, chunk, versions[chunk]);
                small.write(memory, chunk, versions[chunk] = round);
            }
        });
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(ciuic_free(small.session, memory), CIUIC_OK);
    EXPECT_EQ(small.statistics().allocated_bytes, 0u);
    EXPECT_EQ(small.statistics().device_bytes, 0u);
}

// Goal: what is given up reads as zero when it comes back, also for the next owner of the
// addresses. Method: written, discarded, read; written, freed, allocated again, read.
TEST_P(EmbeddedSession, GivenUpMemoryReadsAsZero) {
    constexpr uint32_t chunks = 2 * SmallSession::frames;
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), chunks);
    const auto count_not_zero = [&](void* base) {
        uint64_t count = 0;
        for (uint64_t chunk = 0; chunk < chunks; ++chunk)
            for (const uint64_t word : small.words_of(base, chunk))
                if (word != 0) ++count;
        return count;
    };
    void* memory = nullptr;
    ASSERT_EQ(ciuic_alloc(small.session, chunks * small.chunk_bytes, &memory), CIUIC_OK);
    for (uint64_t chunk = 0; chunk < chunks; ++chunk) small.write(memory, chunk, 1);
    const ciuic_range all{nullptr, reinterpret_cast<uintptr_t>(memory), chunks * small.chunk_bytes};
    ASSERT_EQ(ciuic_advise(small.session, &all, 1, CIUIC_ADVICE_DISCARD), CIUIC_OK);
    EXPECT_EQ(small.statistics().empty_bytes, chunks * small.chunk_bytes);
    EXPECT_EQ(count_not_zero(memory), 0u);

    for (uint64_t chunk = 0; chunk < chunks; ++chunk) small.write(memory, chunk, 2);
    ASSERT_EQ(ciuic_free(small.session, memory), CIUIC_OK);
    void* again = nullptr;
    ASSERT_EQ(ciuic_alloc(small.session, chunks * small.chunk_bytes, &again), CIUIC_OK);
    EXPECT_EQ(again, memory);
    EXPECT_EQ(count_not_zero(again), 0u);
}

// Goal: advice does what it says: cold memory leaves the device and is intact when it is back,
// prefetched memory comes without a touch. Method: the counts of chunks by place, around each.
TEST_P(EmbeddedSession, FollowsAdvice) {
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), 8);
    vmm::Region region;
    ASSERT_EQ(region.create(small.session, 4 * small.chunk_bytes), CIUIC_OK);
    for (uint64_t chunk = 0; chunk < 4; ++chunk) small.write(region.address(), chunk, 1);
    const ciuic_range all = region.all();
    vmm::Pin first;
    ASSERT_EQ(first.acquire(small.session, {region.get(), 0, 1}), CIUIC_OK);
    ASSERT_EQ(ciuic_advise(small.session, &all, 1, CIUIC_ADVICE_COLD), CIUIC_OK);
    EXPECT_EQ(small.statistics().store_bytes, 3 * small.chunk_bytes);
    EXPECT_EQ(small.statistics().device_bytes, small.chunk_bytes);

    ASSERT_EQ(ciuic_advise(small.session, &all, 1, CIUIC_ADVICE_WILLNEED), CIUIC_OK);
    EXPECT_EQ(small.statistics().prefetches, 3u);
    for (uint64_t chunk = 0; chunk < 4; ++chunk)
        EXPECT_EQ(small.wrong_words(region.address(), chunk, 1), 0u);
}

// Goal: a program that declares what it uses has what its order needs next before it asks, its
// bytes right, also where it writes, and where it touches what it has not declared. Method: a cycle
// of twice the device memory in an order of no neighbours, acquired; the counts say who did it.
TEST_P(EmbeddedSession, WhatIsDeclaredComesAhead) {
    constexpr uint32_t chunks = 2 * SmallSession::frames;
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), chunks, CIUIC_DECLARES_USES);
    vmm::Region region;
    ASSERT_EQ(region.create(small.session, chunks * small.chunk_bytes), CIUIC_OK);
    for (uint64_t chunk = 0; chunk < chunks; ++chunk) small.write(region.address(), chunk, 1);
    std::vector<uint64_t> versions(chunks, 1);
    const auto period = [&](uint64_t number) {
        for (uint64_t use = 0; use < chunks; ++use) {
            const uint64_t chunk = use * 13 % chunks;
            const unsigned access = chunk % 4 == 0 ? CIUIC_READ | CIUIC_WRITE : CIUIC_READ;
            const ciuic_range range{region.get(), chunk * small.chunk_bytes, small.chunk_bytes};
            ASSERT_EQ(ciuic_acquire(small.session, &range, 1, access, nullptr), CIUIC_OK);
            ASSERT_EQ(small.wrong_words(region.address(), chunk, versions[chunk]), 0u);
            if (access & CIUIC_WRITE)
                small.write(region.address(), chunk, versions[chunk] = 2 + number);
            ASSERT_EQ(ciuic_release(small.session, &range, 1, nullptr), CIUIC_OK);
        }
    };
    for (uint64_t number = 0; number < 8; ++number) period(number);
    const ciuic_statistics before = small.statistics();
    for (uint64_t number = 8; number < 16; ++number) period(number);
    const ciuic_statistics after = small.statistics();
    EXPECT_GT(after.prefetches_in_order - before.prefetches_in_order, 8 * chunks / 8);
    EXPECT_GT(after.prefetches_used - before.prefetches_used,
              (after.prefetches - before.prefetches) / 2);
    for (uint64_t chunk = 0; chunk < chunks; ++chunk)
        ASSERT_EQ(small.wrong_words(region.address(), chunk, versions[chunk]), 0u);
    EXPECT_EQ(small.statistics().chunks_lost, 0u);
}

// Goal: promises are kept to what there is: more than the store is refused at the request, more
// than the device at once likewise, and what was freed can be had again. Method: to the brim.
TEST_P(EmbeddedSession, RefusesWhatItCannotKeep) {
    constexpr uint32_t store_chunks = 24;
    SmallSession small;
    OPEN_OR_SKIP(small, GetParam(), store_chunks);
    vmm::Region all;
    ASSERT_EQ(all.create(small.session, store_chunks * small.chunk_bytes), CIUIC_OK);
    void* more = nullptr;
    EXPECT_EQ(ciuic_alloc(small.session, 1, &more), CIUIC_E_NO_MEMORY);
    EXPECT_NE(std::strstr(ciuic_last_error_text(), "store"), nullptr);

    ciuic_range range{all.get(), 0, (SmallSession::frames + 1) * small.chunk_bytes};
    EXPECT_EQ(ciuic_acquire(small.session, &range, 1, CIUIC_READ, nullptr), CIUIC_E_QUOTA);
    range.length_bytes = small.chunk_bytes;
    int stream = 0;
    EXPECT_EQ(ciuic_acquire(small.session, &range, 1, CIUIC_READ, &stream), CIUIC_E_UNSUPPORTED);
    EXPECT_EQ(ciuic_acquire(small.session, &range, 1, 0, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_acquire(small.session, &range, 0, CIUIC_READ, nullptr), CIUIC_E_INVALID);

    ASSERT_EQ(all.resize(small.chunk_bytes), CIUIC_OK);
    EXPECT_EQ(ciuic_alloc(small.session, (store_chunks - 1) * small.chunk_bytes, &more), CIUIC_OK);
}

using EmbeddedSessionDeath = EmbeddedSession;
INSTANTIATE_TEST_SUITE_P(ChunkSizes, EmbeddedSessionDeath, testing::Values(2 * MiB));

// Goal: memory that is not allocated cannot be used by mistake. Method: touches beyond the end of
// an allocation and after its end, each in a process of its own.
TEST_P(EmbeddedSessionDeath, TouchOfUnallocatedMemoryIsLoud) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    const auto touch = [chunk_bytes = GetParam()](bool after_free) {
        test::die_by_bad_access();
        SmallSession small;
        if (small.open(chunk_bytes, 8) != CIUIC_OK) std::_Exit(0);
        void* memory = nullptr;
        if (ciuic_alloc(small.session, small.chunk_bytes, &memory) != CIUIC_OK) std::_Exit(1);
        auto* bytes = static_cast<volatile char*>(memory);
        bytes[0] = 1;
        if (after_free) ciuic_free(small.session, memory);
        bytes[after_free ? 0 : small.chunk_bytes] = 1;
        std::_Exit(2);
    };
    {
        SmallSession small;
        OPEN_OR_SKIP(small, GetParam(), 8);
    }
    EXPECT_EXIT(touch(false), testing::KilledBySignal(SIGBUS), "");
    EXPECT_EXIT(touch(true), testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace ciuic
