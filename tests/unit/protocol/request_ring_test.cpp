// SPDX-License-Identifier: Apache-2.0
#include "protocol/request_ring.hpp"

#include <gtest/gtest.h>

#include <semaphore>
#include <thread>

namespace ciuic {
namespace {

class RequestRingTest : public testing::Test {
protected:
    void SetUp() override {
        auto engine = EngineSegment::create({.chunks = 8, .chunk_bytes = 2 * MiB});
        auto client = ClientSegment::create({.chunks = 8, .chunk_bytes = 2 * MiB});
        ASSERT_TRUE(engine && client);
        engine_ = std::move(*engine);
        client_ = std::move(*client);
    }
    static wire::Request numbered(uint32_t number) {
        return {.slot = number % wire::reply_slots, .sequence = number, .first_chunk = ~number};
    }

    EngineSegment engine_;
    ClientSegment client_;
};

// Goal: requests come out once, in order, across the ring's end and the counters' wrap-around.
// Method: five times round the ring, in pieces that do not divide its length.
TEST_F(RequestRingTest, KeepsOrderAcrossTheEnd) {
    RequestWriter writer(client_, engine_);
    RequestReader reader(client_);
    uint32_t pushed = 0;
    uint32_t popped = 0;
    std::array<wire::Request, 11> requests{};
    while (popped < 5 * limits::ring_entries) {
        for (int count = 0; count < 29; ++count) writer.push(numbered(pushed++));
        while (!reader.is_empty()) {
            const auto taken = reader.pop(requests);
            ASSERT_TRUE(taken);
            ASSERT_GT(*taken, 0u);
            for (uint32_t index = 0; index < *taken; ++index, ++popped) {
                ASSERT_EQ(requests[index].sequence, popped);
                ASSERT_EQ(requests[index].first_chunk, ~popped);
            }
        }
    }
    EXPECT_EQ(pushed, popped);
    EXPECT_EQ(*reader.pop(requests), 0u);
}

// Goal: a full ring is served, an overfull one is refused. Method: exactly its length, then one
// more.
TEST_F(RequestRingTest, RefusesMoreThanItHolds) {
    RequestWriter writer(client_, engine_);
    std::array<wire::Request, limits::ring_entries> requests{};
    for (uint32_t number = 0; number < limits::ring_entries; ++number)
        writer.push(numbered(number));
    RequestReader full(client_);
    const auto taken = full.pop(requests);
    ASSERT_TRUE(taken);
    EXPECT_EQ(*taken, limits::ring_entries);
    writer.push(numbered(limits::ring_entries));
    RequestReader overfull(client_);
    EXPECT_EQ(overfull.pop(requests).error().code, Errc::invalid);
    // A tail that runs backwards is far ahead.
    client_.request_tail().put(0);
    EXPECT_EQ(full.pop(requests).error().code, Errc::invalid);
}

// Goal: the doorbell is rung exactly when the daemon says that it sleeps. Method: both states.
TEST_F(RequestRingTest, RingsOnlyForASleeper) {
    RequestWriter writer(client_, engine_);
    EXPECT_FALSE(writer.push(numbered(0)));
    engine_.page().sleeping.store(1);
    EXPECT_TRUE(writer.push(numbered(1)));
}

// Goal: no request is lost or torn between two threads, and no sleeper is missed. Method: a writer
// that keeps 64 under way, a reader that announces its sleep as the daemon does and then really
// waits for the doorbell; a missed wake-up would hang until the test's deadline.
TEST_F(RequestRingTest, TwoThreadsLoseNothing) {
    constexpr uint32_t total = 200'000;
    std::counting_semaphore<> doorbell(0);
    std::atomic<uint32_t> served{0};
    std::thread client([&] {
        RequestWriter writer(client_, engine_);
        for (uint32_t number = 0; number < total; ++number) {
            while (number - served.load(std::memory_order_acquire) >= wire::reply_slots)
                std::this_thread::yield();
            if (writer.push(numbered(number))) doorbell.release();
        }
    });
    RequestReader reader(client_);
    std::atomic<uint32_t>& sleeping = engine_.page().sleeping;
    std::array<wire::Request, 16> requests{};
    uint32_t expected = 0;
    bool intact = true;
    while (expected < total) {
        const auto taken = reader.pop(requests);
        ASSERT_TRUE(taken);
        for (uint32_t index = 0; index < *taken; ++index, ++expected)
            intact = intact && requests[index].sequence == expected &&
                     requests[index].first_chunk == ~expected;
        served.store(expected, std::memory_order_release);
        if (*taken > 0 || expected == total) continue;
        sleeping.store(1, std::memory_order_seq_cst);
        if (reader.is_empty()) doorbell.acquire();
        sleeping.store(0, std::memory_order_relaxed);
    }
    client.join();
    EXPECT_TRUE(intact);
}

}  // namespace
}  // namespace ciuic
