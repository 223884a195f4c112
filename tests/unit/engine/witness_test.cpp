// SPDX-License-Identifier: Apache-2.0
//
// Goal: a witness is told of each use that the engine sees, once, in order and with its time; and
// of the regions that there are. Method: a witness that writes down what it hears.
#include "tests/unit/engine/engine_rig.hpp"

namespace ciuic::test {
namespace {

class Witness final : public UseWitness {
public:
    std::vector<std::string> heard;
    std::vector<Nanos> times;

    void opened(SessionIndex, uint32_t count) override {
        heard.push_back("open " + std::to_string(count));
    }
    void promised(SessionIndex, ChunkIndex first, uint32_t count) override {
        heard.push_back("promise " + std::to_string(first.value) + "+" + std::to_string(count));
    }
    void used(ChunkRef chunk, bool is_write, Nanos when) override {
        heard.push_back((is_write ? "write " : "use ") + std::to_string(chunk.chunk.value));
        times.push_back(when);
    }
};

using Heard = std::vector<std::string>;

// There before the engine that is told of it.
struct HasWitness {
    Witness witness;
};

class WitnessTest : protected HasWitness, public EngineRig {
protected:
    explicit WitnessTest(const EngineOptions& options = {.prefetch_chunks_max = 0})
        : EngineRig(true, 0, options, frames, true, &witness) {
        EXPECT_EQ(told(), Heard{"open 32"});
    }

    // What was heard since the last look.
    Heard told() { return std::exchange(witness.heard, {}); }
    void touch(uint32_t chunk, bool is_write = false, uint64_t offset_bytes = 0) {
        device.touch(chunk, is_write, offset_bytes);
        settle();
    }
};

TEST_F(WitnessTest, HearsOfRegions) {
    promise(3, 5);
    request(RequestKind::promise, 10, 4, 1);
    settle();
    EXPECT_EQ(told(), (Heard{"promise 3+5", "promise 10+4"}));
    request(RequestKind::promise, 12, 4, 2);  // is promised already
    settle();
    EXPECT_EQ(told(), Heard{});
}

TEST_F(WitnessTest, HearsOfMissesAndAcquiresButNotOfHits) {
    promise(0, 4);
    told();
    touch(0, true);
    touch(1);
    request(RequestKind::acquire, 0, 3, 1);
    settle();
    EXPECT_EQ(told(), (Heard{"write 0", "use 1", "use 2"}));
    evict_fully(1);
    touch(1);
    EXPECT_EQ(told(), Heard{"use 1"});
}

TEST_F(WitnessTest, HearsOfAFirstWrite) {
    promise(0, 4);
    put(0, 1);
    evict_fully(0);
    request(RequestKind::acquire, 0, 1, 1);
    settle();
    told();
    device.touch_protected(0);
    settle();
    EXPECT_EQ(told(), Heard{"write 0"});
}

TEST_F(WitnessTest, HearsOfATouchThatCallsAChunkBack) {
    promise(0, 4);
    put(0, 1);
    told();
    evict(0);
    ASSERT_TRUE(engine.tick());
    ASSERT_EQ(state(0), ChunkState::evicting);
    touch(0, true);
    EXPECT_EQ(state(0), ChunkState::resident);
    EXPECT_EQ(told(), Heard{"write 0"});
}

// A chunk of which single blocks are here is used again where it is touched beside them.
TEST_F(WitnessTest, HearsOfTouchesBesideABlock) {
    promise(0, 16);
    for (uint32_t chunk = 0; chunk < 12; chunk += 2) put(chunk, 1);
    for (uint32_t chunk = 0; chunk < 12; chunk += 2)
        if (state(chunk) != ChunkState::stored) evict_fully(chunk);
    told();
    for (uint32_t chunk = 0; chunk < 12; chunk += 2) touch(chunk, false, block_bytes);
    EXPECT_EQ(told(), (Heard{"use 0", "use 2", "use 4", "use 6", "use 8", "use 10"}));
    ASSERT_EQ(state(10), ChunkState::sparse);
    touch(10, false, 3 * block_bytes);
    EXPECT_EQ(told(), Heard{"use 10"});
}

TEST_F(WitnessTest, HearsWhen) {
    promise(0, 4);
    const Nanos began = clock.now();
    touch(0);
    clock.advance(Nanos{500});
    touch(1);
    ASSERT_EQ(witness.times.size(), 2u);
    EXPECT_EQ((witness.times[0] - began).value, 0);
    EXPECT_EQ((witness.times[1] - began).value, 500);
}

class PrefetchedWitnessTest : public WitnessTest {
protected:
    PrefetchedWitnessTest() : WitnessTest(EngineOptions{}) {}
};

// Goal: what comes in ahead is told when it is touched, not when it comes. Method: a stream over
// stored chunks, of which some were brought ahead.
TEST_F(PrefetchedWitnessTest, HearsOfFirstTouchesOfWhatCameAhead) {
    promise(0, chunks);
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) put(chunk, 1);
    told();
    Heard expected;
    for (uint32_t chunk = 0; chunk < 16; ++chunk) {
        touch(chunk);
        expected.push_back("use " + std::to_string(chunk));
    }
    EXPECT_EQ(told(), expected);
    EXPECT_GE(stats().prefetches_used, 6u);
}

}  // namespace
}  // namespace ciuic::test
