// SPDX-License-Identifier: Apache-2.0
#include "client/session.hpp"

#include "base/random.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/client/fake_engine.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace ciuic {
namespace {

using test::agree;
using test::FakeEngine;
using test::FakeSession;

// Goal: a chunk that was acquired is never taken away, however closely acquire and eviction race.
// Method: the engine evicts chunks at random by the protocol and scribbles over each it has taken;
// threads acquire, look at the content and release. A wrong value, or a data race that the thread
// sanitizer sees, is a broken hit path.
TEST(HitPath, NoAcquireSucceedsOnAChunkThatLeaves) {
    constexpr uint32_t chunks = 4;
    constexpr uint64_t intact = 0x1122334455667788;
    constexpr int threads = 3;
    constexpr int rounds = 200'000;
    const uint64_t seed = test::random_seed();
    SCOPED_TRACE(test::seed_text(seed));

    FakeSession fake(chunks);
    FakeEngine& engine = *fake.engine;
    // Not atomic: whoever may look at it and whoever may write it must never be there together.
    std::array<uint64_t, chunks> content{};
    content.fill(intact);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) engine.set_state(chunk, ChunkState::resident);
    const auto bring_in = [&](const wire::Request& request) {
        for (uint32_t index = 0; index < request.chunks; ++index) {
            const uint32_t chunk = request.first_chunk + index;
            if (engine.state(chunk) == static_cast<uint32_t>(ChunkState::resident)) continue;
            content[chunk] = intact;
            engine.set_state(chunk, ChunkState::resident);
        }
        return Errc::ok;
    };
    Random random(seed);
    uint64_t taken = 0;
    uint64_t aborted = 0;
    const auto evict_one = [&] {
        const auto chunk = static_cast<uint32_t>(random.below(chunks));
        if (engine.state(chunk) != static_cast<uint32_t>(ChunkState::resident)) return true;
        engine.set_state(chunk, ChunkState::evicting);
        if (engine.pins(chunk) != 0) {
            engine.set_state(chunk, ChunkState::resident);
            ++aborted;
            return true;
        }
        content[chunk] = 0;
        engine.set_state(chunk, ChunkState::stored);
        ++taken;
        return true;
    };
    engine.start(bring_in, evict_one);

    std::vector<std::thread> workers;
    workers.reserve(threads);
    std::atomic<uint64_t> wrong{0};
    for (int worker = 0; worker < threads; ++worker)
        workers.emplace_back([&, own = Random(seed + 1 + static_cast<uint64_t>(worker))]() mutable {
            for (int round = 0; round < rounds; ++round) {
                const auto first = static_cast<uint32_t>(own.below(chunks));
                const auto count = static_cast<uint32_t>(1 + own.below(chunks - first));
                const ChunkSpan span{first, count};
                if (!fake.session->acquire(span).has_value()) ++wrong;
                for (uint32_t chunk = first; chunk < first + count; ++chunk)
                    if (content[chunk] != intact) ++wrong;
                if (!fake.session->release(span).has_value()) ++wrong;
            }
        });
    for (std::thread& worker : workers) worker.join();
    engine.stop();
    EXPECT_EQ(wrong, 0u);
    EXPECT_GT(taken, 0u);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) EXPECT_EQ(engine.pins(chunk), 0u);
    RecordProperty("evicted",
                   std::to_string(taken) + " of which aborted " + std::to_string(aborted));
}

// Goal: a hit asks nobody, a miss asks for exactly the part that is missing, and a refusal leaves
// no pin behind. Method: states set by hand, requests recorded.
TEST(HitPath, AsksOnlyForWhatIsMissing) {
    FakeSession fake(8);
    std::vector<wire::Request> asked;
    Errc answer = Errc::ok;
    fake.engine->start([&](const wire::Request& request) {
        asked.push_back(request);
        return answer;
    });
    for (const uint32_t chunk : {0u, 1u, 4u, 5u})
        fake.engine->set_state(chunk, ChunkState::resident);
    fake.engine->set_state(2, ChunkState::evicting);
    fake.engine->set_state(3, ChunkState::empty);

    ASSERT_TRUE(fake.session->acquire({0, 2}).has_value());
    EXPECT_TRUE(asked.empty());
    ASSERT_TRUE(fake.session->acquire({1, 5}).has_value());
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].kind, wire::RequestKind::acquire);
    EXPECT_EQ(asked[0].first_chunk, 2u);
    EXPECT_EQ(asked[0].chunks, 2u);
    ASSERT_TRUE(fake.session->release({1, 5}).has_value());

    answer = Errc::data_lost;
    EXPECT_EQ(fake.session->acquire({0, 6}).error().code, Errc::data_lost);
    const std::array<uint32_t, 8> held{1, 1, 0, 0, 0, 0, 0, 0};
    for (uint32_t chunk = 0; chunk < 8; ++chunk) EXPECT_EQ(fake.engine->pins(chunk), held[chunk]);
}

// Goal: pins of a chunk never wrap around to "not in use", and a release too many is refused
// without harm. Method: 32768 acquires of one chunk, one more, then the releases.
TEST(HitPath, CountsPinsWithoutWrapping) {
    constexpr uint32_t pins_max = 0x8000;
    FakeSession fake(2);
    fake.engine->start(agree);
    fake.engine->set_state(0, ChunkState::resident);
    fake.engine->set_state(1, ChunkState::resident);
    for (uint32_t pin = 0; pin < pins_max; ++pin)
        ASSERT_TRUE(fake.session->acquire({1, 1}).has_value());
    EXPECT_EQ(fake.session->acquire({0, 2}).error().code, Errc::busy);
    EXPECT_EQ(fake.engine->pins(0), 0u);
    EXPECT_EQ(fake.engine->pins(1), pins_max);
    for (uint32_t pin = 0; pin < pins_max; ++pin)
        ASSERT_TRUE(fake.session->release({1, 1}).has_value());
    EXPECT_EQ(fake.session->release({1, 1}).error().code, Errc::invalid);
    EXPECT_EQ(fake.engine->pins(1), 0u);
}

// Goal: a range is widened to the chunks it touches and never beyond its region. Method: the
// borders of a region of two chunks, by region and by address, with sums that overflow.
TEST(Session, ResolvesRangesToChunks) {
    constexpr uint64_t chunk = FakeEngine::chunk_bytes;
    FakeSession fake(8);
    fake.engine->start(agree);
    ProgramSession& session = *fake.session;
    ciuic_region* region = *session.create_region(chunk, 0);
    ciuic_region* second = *session.create_region(2 * chunk, 0);
    ASSERT_EQ(second->first, region->first + 1);

    const auto resolve = [&](ciuic_region* in, uint64_t offset, uint64_t length) {
        ChunkSpan span;
        const Status status = session.resolve({in, offset, length}, span);
        return std::pair(status.error().code,
                         status ? std::pair(span.first, span.count) : std::pair(0u, 0u));
    };
    const auto is = [&](uint32_t first, uint32_t count) {
        return std::pair(Errc::ok, std::pair(first, count));
    };
    const uint32_t first = second->first;
    EXPECT_EQ(resolve(second, 0, 1), is(first, 1));
    EXPECT_EQ(resolve(second, chunk - 1, 2), is(first, 2));
    EXPECT_EQ(resolve(second, chunk, chunk), is(first + 1, 1));
    EXPECT_EQ(resolve(second, 0, 0).first, Errc::invalid);
    EXPECT_EQ(resolve(second, 2 * chunk, 1).first, Errc::range);
    EXPECT_EQ(resolve(second, 1, 2 * chunk).first, Errc::range);
    EXPECT_EQ(resolve(second, ~uint64_t{0}, 2).first, Errc::range);
    EXPECT_EQ(resolve(second, 1, ~uint64_t{0}).first, Errc::range);

    const auto base = reinterpret_cast<uintptr_t>(session.address_of(0));
    EXPECT_EQ(resolve(nullptr, base + 3 * chunk, 1), is(3, 1));
    EXPECT_EQ(resolve(nullptr, base - 1, 1).first, Errc::range);
    EXPECT_EQ(resolve(nullptr, base + 8 * chunk - 1, 2).first, Errc::range);

    FakeSession other(8);
    other.engine->start(agree);
    ChunkSpan span;
    EXPECT_EQ(other.session->resolve({second, 0, 1}, span).error().code, Errc::invalid);
    ASSERT_TRUE(session.destroy_region(*second).has_value());
    EXPECT_EQ(resolve(second, 0, 1).first, Errc::invalid);
}

}  // namespace
}  // namespace ciuic
