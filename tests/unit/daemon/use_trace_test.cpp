// SPDX-License-Identifier: Apache-2.0
#include "daemon/use_trace.hpp"

#include <gtest/gtest.h>

#include "limits.hpp"

#include <vector>

namespace ciuic {
namespace {

// What a trace was told, a line each.
class Lines final : public trace::Sink {
public:
    std::vector<std::string> lines;

    uint32_t region(std::string_view name, uint32_t chunks) override {
        lines.push_back("region " + std::string(name) + ": " + std::to_string(chunks));
        return regions_++;
    }
    void phase(std::string_view name) override { lines.push_back("phase " + std::string(name)); }
    void use(const trace::Use& use) override {
        lines.push_back(std::to_string(use.time_ns) + ": thread " + std::to_string(use.thread) +
                        " region " + std::to_string(use.region) + " chunk " +
                        std::to_string(use.chunk) + (use.is_write ? " w" : ""));
    }

private:
    uint32_t regions_ = 0;
};

class UseTraceTest : public testing::Test {
protected:
    using Expected = std::vector<std::string>;

    void promise(uint32_t session, uint32_t first, uint32_t count) {
        trace_.take(
            {.session = session, .chunk = first, .chunks = count, .kind = UseEvent::Kind::promise});
    }
    void use(uint32_t session, uint32_t chunk, bool is_write = false) {
        trace_.take({.time_ns = ++time_,
                     .session = session,
                     .chunk = chunk,
                     .chunks = space_chunks,
                     .is_write = is_write});
    }
    Expected finish() {
        trace_.finish();
        return sink_.lines;
    }

    static constexpr uint32_t space_chunks = 100;
    uint64_t time_ = 0;
    Lines sink_;
    UseTrace trace_{sink_};
};

// Goal: each promise is a region from its first use on; threads are sessions in the order of their
// first use. Method: two sessions, of which the one opened last uses first, and a promise for
// nothing.
TEST_F(UseTraceTest, MakesRegionsOfPromises) {
    promise(1, 10, 4);
    promise(1, 20, 4);
    promise(2, 10, 4);
    promise(2, 50, 4);
    use(2, 13);
    use(1, 21, true);
    use(1, 10);
    use(2, 12);
    EXPECT_EQ(finish(), (Expected{"region session 0, chunk 10: 4", "1: thread 0 region 0 chunk 3",
                                  "region session 1, chunk 20: 4", "2: thread 1 region 1 chunk 1 w",
                                  "region session 1, chunk 10: 4", "3: thread 1 region 2 chunk 0",
                                  "4: thread 0 region 0 chunk 2"}));
    EXPECT_EQ(trace_.uses(), 4u);
    EXPECT_EQ(trace_.lost(), 0u);
}

// Goal: a chunk is the same one for ever, whatever is promised again. Method: promises that cover
// old ones, lie in them, and stand between them.
TEST_F(UseTraceTest, KeepsChunksWhereTheyWere) {
    promise(0, 10, 10);
    use(0, 19);
    promise(0, 5, 30);  // around it: 5-9 and 20-34 are new
    promise(0, 12, 3);
    promise(0, 10, 10);
    promise(0, 40, 2);
    promise(0, 33, 12);  // 35-39 and 42-44 are new
    for (const uint32_t chunk : {5u, 12u, 34u, 35u, 41u, 44u}) use(0, chunk);
    EXPECT_EQ(finish(), (Expected{"region session 0, chunk 10: 10", "1: thread 0 region 0 chunk 9",
                                  "region session 0, chunk 5: 5", "2: thread 0 region 1 chunk 0",
                                  "3: thread 0 region 0 chunk 2", "region session 0, chunk 20: 15",
                                  "4: thread 0 region 2 chunk 14", "region session 0, chunk 35: 5",
                                  "5: thread 0 region 3 chunk 0", "region session 0, chunk 40: 2",
                                  "6: thread 0 region 4 chunk 1", "region session 0, chunk 42: 3",
                                  "7: thread 0 region 5 chunk 2"}));
}

// Goal: a use counts even where the promise was lost. Method: uses before, between and behind what
// was promised.
TEST_F(UseTraceTest, MakesRegionsOfGaps) {
    promise(0, 10, 10);
    promise(0, 30, 10);
    for (const uint32_t chunk : {3u, 25u, 99u, 9u}) use(0, chunk);
    EXPECT_EQ(finish(), (Expected{"region session 0, chunk 0: 10", "1: thread 0 region 0 chunk 3",
                                  "region session 0, chunk 20: 10", "2: thread 0 region 1 chunk 5",
                                  "region session 0, chunk 40: 60", "3: thread 0 region 2 chunk 59",
                                  "4: thread 0 region 0 chunk 9"}));
}

// Goal: what is seen twice in a row is one use, which writes if either does. Method: a read that is
// followed by the write that it was for; the same chunk in another session is another.
TEST_F(UseTraceTest, ABitOfTheSameUseIsNoOther) {
    use(0, 1);
    use(0, 1, true);
    use(0, 1);
    use(1, 1);
    use(0, 1);
    EXPECT_EQ(finish(),
              (Expected{"region session 0, chunk 0: 100", "1: thread 0 region 0 chunk 1 w",
                        "region session 1, chunk 0: 100", "4: thread 1 region 1 chunk 1",
                        "5: thread 0 region 0 chunk 1"}));
    EXPECT_EQ(trace_.uses(), 3u);
}

// Goal: a trace with losses says where and how many. Method: two losses, and none at all.
TEST_F(UseTraceTest, SaysWhatIsLost) {
    use(0, 1);
    trace_.take({.time_ns = 7, .kind = UseEvent::Kind::lost});
    use(0, 1);
    trace_.take({.time_ns = 5, .kind = UseEvent::Kind::lost});
    EXPECT_EQ(finish(), (Expected{"region session 0, chunk 0: 100", "1: thread 0 region 0 chunk 1",
                                  "phase 7 uses lost here", "2: thread 0 region 0 chunk 1",
                                  "phase 5 uses lost here", "phase 12 uses lost in all"}));
    EXPECT_EQ(trace_.lost(), 12u);
}

// Goal: what a trace cannot hold is lost, and the rest is in it. Method: more regions than there
// may be.
TEST_F(UseTraceTest, CountsWhatATraceCannotHold) {
    constexpr uint32_t more = limits::trace_regions_max + 3;
    for (uint32_t chunk = 0; chunk < more; ++chunk) promise(0, 2 * chunk, 1);
    for (uint32_t chunk = 0; chunk < more; ++chunk) use(0, 2 * chunk);
    use(0, 0);
    EXPECT_EQ(finish().back(), "phase 3 uses lost in all");
    EXPECT_EQ(trace_.uses(), limits::trace_regions_max + 1u);
}

}  // namespace
}  // namespace ciuic
