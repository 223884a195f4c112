// SPDX-License-Identifier: Apache-2.0
#include "base/job_pool.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <semaphore>
#include <set>
#include <vector>

namespace ciuic {
namespace {

struct TestJob {
    int number = 0;
    std::counting_semaphore<64>* begun = nullptr;
    std::counting_semaphore<64>* go = nullptr;  // the job waits for it
};

int work(const TestJob& job) {
    if (job.begun) job.begun->release();
    if (job.go) job.go->acquire();
    return job.number;
}

using Pool = JobPool<TestJob, int>;

class JobPoolTest : public testing::Test {
protected:
    void open(uint32_t threads, uint32_t capacity) {
        auto created = Pool::create("test", threads, capacity, work);
        ASSERT_TRUE(created.has_value());
        pool = *std::move(created);
    }

    bool is_readable(int timeout_ms = 0) {
        pollfd event{pool->event_fd(), POLLIN, 0};
        return ::poll(&event, 1, timeout_ms) == 1;
    }

    int next() {
        int done = 0;
        while (pool->drain({&done, 1}) == 0) is_readable(-1);
        return done;
    }

    std::counting_semaphore<64> begun{0};
    std::counting_semaphore<64> go{0};
    std::unique_ptr<Pool> pool;
};

// Goal: a job counts as under way until its result is drained. Method: a pool of three filled with
// jobs that wait, then finished, then drained one at a time.
TEST_F(JobPoolTest, BoundHoldsUntilDrained) {
    open(1, 3);
    for (int number = 0; number < 3; ++number) EXPECT_TRUE(pool->submit({number, nullptr, &go}));
    EXPECT_FALSE(pool->submit({3}));
    EXPECT_FALSE(is_readable());
    go.release(3);
    EXPECT_TRUE(is_readable(-1));
    EXPECT_FALSE(pool->submit({3}));
    EXPECT_EQ(next(), 0);
    EXPECT_TRUE(pool->submit({3}));
    EXPECT_EQ(next(), 1);
    EXPECT_EQ(next(), 2);
    EXPECT_EQ(next(), 3);
    EXPECT_FALSE(is_readable());
}

// Goal: a job that no thread has begun can be taken out, a begun one cannot, and the order of the
// others stays. Method: one thread held in job 0; withdraw from the middle of the queue.
TEST_F(JobPoolTest, WithdrawsOnlyWhatHasNotBegun) {
    open(1, 5);
    const auto is = [](int number) {
        return [number](const TestJob& job) { return job.number == number; };
    };
    ASSERT_TRUE(pool->submit({0, &begun, &go}));
    begun.acquire();
    for (int number = 1; number < 5; ++number) ASSERT_TRUE(pool->submit({number}));
    pool->withdraw(is(0), -100);
    pool->withdraw(is(2), -102);
    pool->withdraw(is(4), -104);
    pool->withdraw(is(9), -109);
    EXPECT_EQ(next(), -102);
    EXPECT_EQ(next(), -104);
    go.release();
    EXPECT_EQ(next(), 0);
    EXPECT_EQ(next(), 1);
    EXPECT_EQ(next(), 3);
}

// Goal: jobs run side by side. Method: as many jobs as threads, all of which must have begun
// before any may end.
TEST_F(JobPoolTest, ThreadsWorkSideBySide) {
    open(4, 4);
    for (int number = 0; number < 4; ++number) ASSERT_TRUE(pool->submit({number, &begun, &go}));
    for (int number = 0; number < 4; ++number) begun.acquire();
    go.release(4);
    std::set<int> seen;
    for (int number = 0; number < 4; ++number) seen.insert(next());
    EXPECT_EQ(seen.size(), 4u);
}

// Goal: the end waits for what was begun. Method: one thread held in a job; the pool ends while
// another thread lets it go, and the job's last act must have happened.
TEST_F(JobPoolTest, EndWaitsForWhatHasBegun) {
    open(1, 2);
    ASSERT_TRUE(pool->submit({0, &begun, &go}));
    begun.acquire();
    ServiceThread releaser = *ServiceThread::start(
        "release",
        [](void* semaphore) -> void* {
            static_cast<std::counting_semaphore<64>*>(semaphore)->release();
            return nullptr;
        },
        &go);
    pool.reset();
    releaser.join();
    EXPECT_FALSE(go.try_acquire());
}

// Goal: every job gives one result, whatever the interleaving. Method: several thousand short jobs
// through a small pool, drained in batches.
TEST_F(JobPoolTest, EveryJobGivesOneResult) {
    open(3, 7);
    constexpr int jobs = 5000;
    int submitted = 0;
    std::vector<int> seen(jobs, 0);
    int finished = 0;
    std::array<int, 4> done{};
    while (finished < jobs) {
        while (submitted < jobs && pool->submit({submitted})) ++submitted;
        is_readable(-1);
        const size_t drained = pool->drain(done);
        for (size_t index = 0; index < drained; ++index) ++seen[static_cast<size_t>(done[index])];
        finished += static_cast<int>(drained);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), jobs);
    EXPECT_FALSE(is_readable());
}

}  // namespace
}  // namespace ciuic
