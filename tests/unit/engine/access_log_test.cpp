// SPDX-License-Identifier: Apache-2.0
//
// Goal: what is written is read once, in order; what is lost is counted, and nothing is taken for
// what it is not. Method: by hand at the ring's edges; two writers beside one reader.
#include "engine/access_log.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint32_t entries = limits::access_log_entries;

TEST(AccessLogTest, RangesAreReadChunkByChunk) {
    const auto log = std::make_unique<AccessLog>();
    AccessLogReader reader(log.get());
    EXPECT_FALSE(reader.next());
    log->append(7, 2, false);
    log->append(limits::session_chunks_max - 1, 1, true);
    const auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->chunk, 7u);
    EXPECT_FALSE(first->is_write);
    EXPECT_EQ(reader.next()->chunk, 8u);
    const auto last = reader.next();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->chunk, limits::session_chunks_max - 1);
    EXPECT_TRUE(last->is_write);
    EXPECT_FALSE(reader.next());
    log->append(0, limits::session_chunks_max, false);
    for (uint32_t chunk = 0; chunk < limits::session_chunks_max; ++chunk)
        ASSERT_EQ(reader.next()->chunk, chunk);
    EXPECT_FALSE(reader.next());
}

TEST(AccessLogTest, NothingIsLostWhileTheRingHoldsIt) {
    const auto log = std::make_unique<AccessLog>();
    AccessLogReader reader(log.get());
    for (uint32_t lap = 0; lap < 3; ++lap) {
        for (uint32_t entry = 0; entry < entries; ++entry) log->append(entry, 1, false);
        for (uint32_t entry = 0; entry < entries; ++entry) ASSERT_EQ(reader.next()->chunk, entry);
        ASSERT_FALSE(reader.next());
    }
    EXPECT_EQ(reader.lost(), 0u);
}

TEST(AccessLogTest, AReaderThatIsTooLateGoesOnWithTheNewerHalf) {
    const auto log = std::make_unique<AccessLog>();
    AccessLogReader reader(log.get());
    for (uint32_t entry = 0; entry < entries + 1; ++entry) log->append(entry, 1, false);
    EXPECT_EQ(reader.next()->chunk, entries / 2 + 1);
    EXPECT_EQ(reader.lost(), entries / 2 + 1);
    uint32_t last = 0;
    while (const auto use = reader.next()) last = use->chunk;
    EXPECT_EQ(last, entries);
}

TEST(AccessLogTest, AnEntryThatIsNotWrittenYetIsWaitedFor) {
    const auto log = std::make_unique<AccessLog>();
    AccessLogReader reader(log.get());
    log->written.store(1);  // a writer has its place and was interrupted
    EXPECT_FALSE(reader.next());
    log->written.store(0);
    log->append(5, 1, false);
    EXPECT_EQ(reader.next()->chunk, 5u);
}

TEST(AccessLogTest, SeveralThreadsWriteBesideAReader) {
    const auto log = std::make_unique<AccessLog>();
    AccessLogReader reader(log.get());
    constexpr uint32_t threads = 2;
    constexpr uint32_t each = 50'000;
    std::atomic<uint32_t> running{threads};
    std::vector<std::thread> writers;
    for (uint32_t thread = 0; thread < threads; ++thread)
        writers.emplace_back([&, thread] {
            for (uint32_t number = 0; number < each; ++number)
                log->append(thread * each + number, 1, thread == 1);
            --running;
        });
    std::vector<int64_t> latest(threads, -1);
    uint64_t seen = 0;
    for (bool ended = false; !ended;) {
        ended = running == 0;
        while (const auto use = reader.next()) {
            const uint32_t thread = use->chunk / each;
            ASSERT_LT(thread, threads);
            ASSERT_EQ(use->is_write, thread == 1);
            ASSERT_GT(use->chunk, latest[thread]);  // each one's own order
            latest[thread] = use->chunk;
            ++seen;
        }
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_EQ(seen + reader.lost(), uint64_t{threads} * each);
}

}  // namespace
}  // namespace ciuic::test
