// SPDX-License-Identifier: Apache-2.0
//
// Goal: those who always want more get bytes by weight whatever the sizes; an idle one saves
// nothing up and is served first when it comes. Method: the least start tag is served, many times.
#include "policy/fair_queue.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ciuic {
namespace {

TEST(FairQueueTest, BytesFollowWeightsWhateverTheSizes) {
    FairQueue queue;
    std::array<FairQueue::Share, 3> shares{{{.weight = 100}, {.weight = 300}, {.weight = 50}}};
    constexpr std::array<uint64_t, 3> sizes{2 * MiB, 64 * KiB, 64 * MiB};
    std::array<uint64_t, 3> served{};
    for (int step = 0; step < 100'000; ++step) {
        size_t next = 0;
        for (size_t index = 1; index < shares.size(); ++index)
            if (queue.start_tag(shares[index]) < queue.start_tag(shares[next])) next = index;
        queue.start(shares[next], sizes[next]);
        served[next] += sizes[next];
    }
    const auto total = static_cast<double>(served[0] + served[1] + served[2]);
    EXPECT_NEAR(static_cast<double>(served[0]) / total, 100.0 / 450, 0.01);
    EXPECT_NEAR(static_cast<double>(served[1]) / total, 300.0 / 450, 0.01);
    EXPECT_NEAR(static_cast<double>(served[2]) / total, 50.0 / 450, 0.01);
}

TEST(FairQueueTest, WhoWasIdleGoesFirstAndHasSavedNothingUp) {
    FairQueue queue;
    FairQueue::Share busy;
    FairQueue::Share idle;
    for (int step = 0; step < 1000; ++step) queue.start(busy, 2 * MiB);
    EXPECT_LT(queue.start_tag(idle), queue.start_tag(busy));
    EXPECT_TRUE(queue.is_behind(idle));
    queue.start(idle, 2 * MiB);
    EXPECT_FALSE(queue.is_behind(idle)) << "from here on it takes turns";
}

TEST(FairQueueTest, ChargedBytesMoveNobodyElse) {
    FairQueue queue;
    FairQueue::Share writer;
    FairQueue::Share reader;
    queue.charge(writer, 64 * MiB);
    EXPECT_EQ(queue.start_tag(reader), 0u);
    EXPECT_GT(queue.start_tag(writer), 0u);
}

TEST(FairQueueTest, WhatIsOwedIsBounded) {
    FairQueue queue;
    FairQueue::Share writer;
    FairQueue::Share reader;
    for (int step = 0; step < 1000; ++step) queue.charge(writer, 64 * MiB);
    uint64_t read = 0;
    while (queue.start_tag(reader) < queue.start_tag(writer)) {
        queue.start(reader, 2 * MiB);
        read += 2 * MiB;
    }
    EXPECT_EQ(read, limits::owed_bytes_max);
}

TEST(FairQueueTest, WhoWantsTheDiskAloneOwesNothing) {
    FairQueue queue;
    FairQueue::Share writer;
    queue.charge(writer, 64 * MiB);
    queue.advance(queue.start_tag(writer));
    EXPECT_TRUE(queue.is_behind(writer));
}

}  // namespace
}  // namespace ciuic
