// SPDX-License-Identifier: Apache-2.0
//
// A client whose memory changes while the daemon reads it.
#include "base/random.hpp"
#include "tests/fuzz/hostile_world.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ciuic::fuzz {
namespace {

// Writes to the segment until it is told to stop: well-formed requests, then flips of any bit, of
// entries, of pins, of the tail.
class Meddler {
public:
    Meddler(test::ServedClient& client, uint64_t seed)
        : client_(client), random_(seed), thread_([this] { meddle(); }) {}
    ~Meddler() {
        stop_.store(true);
        thread_.join();
    }

private:
    void meddle() {
        const std::span<std::byte> bytes = client_.segment.bytes();
        auto* const words = reinterpret_cast<std::atomic<uint32_t>*>(bytes.data());
        while (!stop_.load(std::memory_order_relaxed)) {
            client_.push({.kind = static_cast<wire::RequestKind>(random_.below(6)),
                          .slot = static_cast<uint32_t>(random_.below(wire::reply_slots)),
                          .sequence = client_.pushed,
                          .first_chunk = static_cast<uint32_t>(random_.below(48)),
                          .chunks = 1 + static_cast<uint32_t>(random_.below(16))});
            for (int flips = 0; flips < 4; ++flips) flip(words, bytes.size() / sizeof(uint32_t));
            client_.ring();
        }
    }
    void flip(std::atomic<uint32_t>* words, size_t count) {
        constexpr size_t ring_word = wire::ClientLayout::ring_offset / 4;
        constexpr size_t ring_words = limits::ring_entries * sizeof(wire::Request) / 4;
        const uint32_t bit = 1u << random_.below(32);
        switch (random_.below(256)) {
        case 0: client_.segment.request_tail().put(static_cast<uint32_t>(random_.next())); break;
        case 1: words[random_.below(count)].fetch_xor(bit); break;
        case 2: words[ring_word + random_.below(ring_words)].fetch_xor(bit); break;
        default: {
            // Ranges and reserved words: wrong, but no reason to end the session.
            const size_t entry = ring_word + random_.below(limits::ring_entries) * 8;
            words[entry + 3 + random_.below(5)].fetch_xor(1u << random_.below(6));
            client_.segment.pins()[random_.below(64)].store(static_cast<uint32_t>(bit & 1));
        }
        }
    }

    test::ServedClient& client_;
    Random random_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

// Goal: memory that changes between two looks of the daemon harms no one but its writer. Method: a
// thread that writes requests and flips bits of them, of the indexes and of the pins while the
// server turns; whenever it goes too far, its session ends and a new one begins. The innocent
// client finds its bytes all the while, and in the end everything has come back.
TEST(LiveMutator, TheServerOutlivesIt) {
    constexpr uint64_t lives = 40;
    constexpr int turns_per_life_max = 4000;
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));
    HostileWorld world;
    uint64_t served = 0;
    for (uint64_t life = 0; life < lives; ++life) {
        test::ServedClient client = world.running_client();
        {
            const Meddler meddler(client, seed + life);
            for (int turn = 0; turn < turns_per_life_max && !world.is_gone(client); ++turn) {
                world.turn();
                if (turn % 64 == 0) world.check_innocent();
            }
            served += world.server().engine().total_stats().fills;
        }
        client.socket.reset();
        world.settle();
        world.check_that_all_came_back();
        world.check_innocent();
    }
    RecordProperty("violations", static_cast<int>(world.server().counts().violations));
    EXPECT_GT(world.server().counts().violations, 0u);
    EXPECT_GT(served, lives);  // it was not ended before it could do anything
}

}  // namespace
}  // namespace ciuic::fuzz
