// SPDX-License-Identifier: Apache-2.0
//
// Regions and allocations: the part of ProgramSession that lies in memory.cpp.
#include "client/session.hpp"
#include "tests/unit/client/fake_engine.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

namespace ciuic {
namespace {

using test::agree;
using test::FakeEngine;
using test::FakeSession;

// Goal: what the engine refuses leaves the addresses as they were, and what it does not answer
// with "given up" never becomes somebody else's. Method: promises and discards refused in turn.
TEST(Memory, RefusedPromisesAndDiscardsLeaveNoTrace) {
    constexpr uint64_t chunk = FakeEngine::chunk_bytes;
    FakeSession fake(8);
    Errc promise = Errc::ok;
    Errc discard = Errc::ok;
    fake.engine->start([&](const wire::Request& request) {
        return request.kind == wire::RequestKind::promise ? promise : discard;
    });
    ProgramSession& session = *fake.session;

    promise = Errc::no_memory;
    EXPECT_EQ(session.allocate(8 * chunk).error().code, Errc::no_memory);
    promise = Errc::ok;
    void* all = *session.allocate(4 * chunk);
    EXPECT_EQ(session.usable_size(all), 4 * chunk);

    promise = Errc::no_memory;
    EXPECT_EQ(session.resize(all, 8 * chunk).error().code, Errc::no_memory);
    EXPECT_EQ(session.usable_size(all), 4 * chunk);
    promise = Errc::ok;
    ASSERT_TRUE(session.resize(all, 8 * chunk).has_value());

    discard = Errc::timed_out;
    EXPECT_EQ(session.resize(all, chunk).error().code, Errc::timed_out);
    EXPECT_EQ(session.usable_size(all), 8 * chunk);
    EXPECT_EQ(session.free(all).error().code, Errc::timed_out);
    EXPECT_EQ(session.allocate(chunk).error().code, Errc::no_memory);
}

// Goal: memory that is in use is not given up. Method: a pin on the last chunk of an allocation.
TEST(Memory, GivesUpNothingThatIsAcquired) {
    constexpr uint64_t chunk = FakeEngine::chunk_bytes;
    FakeSession fake(8);
    fake.engine->start(agree);
    ProgramSession& session = *fake.session;
    ciuic_region* region = *session.create_region(3 * chunk, 0);
    const ChunkSpan last{region->first + 2, 1};
    fake.engine->set_state(last.first, ChunkState::resident);
    ASSERT_TRUE(session.acquire(last).has_value());
    EXPECT_EQ(session.clear({region->first, 3}).error().code, Errc::busy);
    EXPECT_EQ(session.resize_region(*region, 2 * chunk).error().code, Errc::busy);
    EXPECT_EQ(session.destroy_region(*region).error().code, Errc::busy);
    ASSERT_TRUE(session.release(last).has_value());
    EXPECT_TRUE(session.resize_region(*region, 2 * chunk).has_value());
    EXPECT_TRUE(session.destroy_region(*region).has_value());
}

// Goal: a region's memory is not freed as an allocation, and regions are handed out anew.
// Method: free of a region's address; as many regions as there are, twice.
TEST(Memory, RegionsAreNotAllocations) {
    constexpr uint64_t chunk = FakeEngine::chunk_bytes;
    FakeSession fake(4);
    fake.engine->start(agree);
    ProgramSession& session = *fake.session;
    for (int round = 0; round < 2; ++round) {
        std::vector<ciuic_region*> regions;
        regions.reserve(4);
        for (int index = 0; index < 4; ++index) regions.push_back(*session.create_region(chunk, 0));
        EXPECT_EQ(session.create_region(chunk, 0).error().code, Errc::no_memory);
        const void* address = session.address_of(regions[2]->first);
        EXPECT_EQ(session.free(address).error().code, Errc::invalid);
        EXPECT_EQ(session.usable_size(address), 0u);
        for (ciuic_region* region : regions) ASSERT_TRUE(session.destroy_region(*region));
    }
}

// Goal: two threads that free the same memory at once do so once. Method: many pairs of frees that
// start together; the engine counts discards.
TEST(Memory, OneOfTwoFreesWins) {
    FakeSession fake(4);
    std::atomic<int> discards{0};
    fake.engine->start([&](const wire::Request& request) {
        if (request.kind == wire::RequestKind::discard) ++discards;
        return Errc::ok;
    });
    constexpr int rounds = 200;
    std::barrier together(2);
    void* memory = nullptr;
    std::atomic<int> freed{0};
    const auto free_all = [&](bool allocates) {
        for (int round = 0; round < rounds; ++round) {
            if (allocates) memory = *fake.session->allocate(1);
            together.arrive_and_wait();
            if (fake.session->free(memory).has_value()) ++freed;
            together.arrive_and_wait();
        }
    };
    std::thread other(free_all, false);
    free_all(true);
    other.join();
    EXPECT_EQ(freed, rounds);
    EXPECT_EQ(discards, rounds);
}

}  // namespace
}  // namespace ciuic
