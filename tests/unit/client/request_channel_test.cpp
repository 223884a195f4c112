// SPDX-License-Identifier: Apache-2.0
#include "client/request_channel.hpp"

#include "tests/unit/client/fake_engine.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ciuic {
namespace {

using test::FakeEngine;

// Goal: every thread gets its own answer, also when there are more threads than reply slots.
// Method: 96 threads; the answer to each request depends on its chunk.
TEST(RequestChannel, AnswersReachTheThreadThatAsked) {
    constexpr uint32_t threads = 96;
    constexpr uint32_t rounds = 50;
    static_assert(threads > wire::reply_slots);
    FakeEngine engine(threads);
    const auto answer_for = [](uint32_t chunk) {
        return static_cast<Errc>(chunk % static_cast<uint32_t>(Errc::version));
    };
    engine.start([&](const wire::Request& request) { return answer_for(request.first_chunk); });
    RequestChannel channel(engine);
    std::atomic<uint32_t> wrong{0};
    std::vector<std::thread> askers;
    for (uint32_t chunk = 0; chunk < threads; ++chunk)
        askers.emplace_back([&, chunk] {
            for (uint32_t round = 0; round < rounds; ++round) {
                const Status answer = channel.call(wire::RequestKind::acquire, chunk, 1);
                if (answer.error().code != answer_for(chunk)) ++wrong;
            }
        });
    for (std::thread& asker : askers) asker.join();
    EXPECT_EQ(wrong, 0u);
}

// Goal: nobody waits for an engine that is gone, neither those who wait already nor those who come
// later. Method: the engine dies instead of answering.
TEST(RequestChannel, NobodyWaitsForTheDead) {
    FakeEngine engine(1);
    engine.start([&](const wire::Request&) {
        engine.die();
        return Errc::ok;
    });
    RequestChannel channel(engine);
    EXPECT_EQ(channel.call(wire::RequestKind::promise, 0, 1).error().code, Errc::disconnected);
    EXPECT_EQ(channel.call(wire::RequestKind::promise, 0, 1).error().code, Errc::disconnected);
}

}  // namespace
}  // namespace ciuic
