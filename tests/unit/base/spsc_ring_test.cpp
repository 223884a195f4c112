// SPDX-License-Identifier: Apache-2.0
#include "base/spsc_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace ciuic {
namespace {

// Goal: what fits comes out in order, what does not is refused and changes nothing. Method: fill,
// take some, fill again across the end, several times around.
TEST(SpscRing, RefusesWhatDoesNotFit) {
    SpscRing<int> ring(4);
    std::array<int, 8> out{};
    int next = 0;
    int expected = 0;
    for (int round = 0; round < 5; ++round) {
        const int room = round == 0 ? 4 : 3;
        for (int count = 0; count < room; ++count) EXPECT_TRUE(ring.push(next++));
        EXPECT_FALSE(ring.push(-1));
        ASSERT_EQ(ring.pop(std::span(out).first(3)), 3u);
        for (int at = 0; at < 3; ++at) EXPECT_EQ(out[static_cast<size_t>(at)], expected++);
    }
    ASSERT_EQ(ring.pop(out), 1u);
    EXPECT_EQ(out[0], expected);
    EXPECT_EQ(ring.pop(out), 0u);
}

// Goal: nothing is lost, doubled or torn between two threads. Method: numbers through a ring that
// is often full and often empty; a refused one is pushed again.
TEST(SpscRing, KeepsOrderBetweenThreads) {
    struct Pair {
        uint64_t number = 0;
        uint64_t complement = 0;
    };
    constexpr uint64_t count = 200'000;
    SpscRing<Pair> ring(16);
    std::thread pusher([&ring] {
        for (uint64_t number = 0; number < count;)
            if (ring.push({number, ~number}))
                ++number;
            else
                std::this_thread::yield();
    });
    std::array<Pair, 7> out;
    uint64_t wrong = 0;
    for (uint64_t expected = 0; expected < count;) {
        const size_t popped = ring.pop(out);
        for (size_t at = 0; at < popped; ++at, ++expected)
            if (out[at].number != expected || out[at].complement != ~expected) ++wrong;
        if (popped == 0) std::this_thread::yield();
    }
    pusher.join();
    EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace ciuic
