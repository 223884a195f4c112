// SPDX-License-Identifier: Apache-2.0
//
// What only io_uring can do or get wrong; tests/contract/io_contract has the rest. A pipe stands
// in for a disk that takes its time: a read of it waits until something is written.
#include "io/uring.hpp"

#include "base/service_thread.hpp"
#include "base/unique_fd.hpp"
#include "limits.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <semaphore>

namespace ciuic {
namespace {

class UringIoTest : public testing::Test {
public:
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        read_end = UniqueFd(ends[0]);
        write_end = UniqueFd(ends[1]);
        auto created = UringIo::create(read_end.get(), 4);
        if (!created.has_value())
            GTEST_SKIP() << "io_uring is refused here: " << std::strerror(created.error().os_error);
        io = *std::move(created);
    }

    void submit_read(uint64_t token) {
        ASSERT_TRUE(io->submit({.op = IoOp::read,
                                .offset_bytes = 0,
                                .data = &bytes[token],
                                .length_bytes = 1,
                                .token = token}));
        io->flush();
    }

    void feed() { ASSERT_EQ(::write(write_end.get(), "x", 1), 1); }

    IoResult next() {
        IoResult result;
        while (io->drain({&result, 1}) == 0) {
            pollfd event{io->event_fd(), POLLIN, 0};
            ::poll(&event, 1, -1);
        }
        return result;
    }

    UniqueFd read_end;
    UniqueFd write_end;
    std::array<std::byte, 4> bytes{};
    std::binary_semaphore ending{0};
    std::unique_ptr<Io> io;
};

// Goal: a thread that sleeps on the event wakes, whichever thread it is and however early it began
// to wait. Method: an epoll set built before the ring's first use; the owner and then another
// thread sleep in it without a deadline. (On the ring's own descriptor this test hangs.)
TEST_F(UringIoTest, CompletionWakesASleeperInAnyThread) {
    const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, io->event_fd(), &wanted), 0);
    const auto sleep_until_woken = [](void* set) -> void* {
        epoll_event event{};
        while (::epoll_wait(*static_cast<const int*>(set), &event, 1, -1) < 0) {
        }
        return nullptr;
    };
    const auto feed_pipe = [](void* fd) -> void* {
        EXPECT_EQ(::write(*static_cast<const int*>(fd), "x", 1), 1);
        return nullptr;
    };
    int set = epoll.get();
    int pipe = write_end.get();
    for (int round = 0; round < 50; ++round) {
        submit_read(0);
        ServiceThread feeder = *ServiceThread::start("feeder", feed_pipe, &pipe);
        sleep_until_woken(&set);
        ASSERT_EQ(next().result, 1);
        feeder.join();

        ServiceThread sleeper = *ServiceThread::start("sleeper", sleep_until_woken, &set);
        submit_read(0);
        feed();
        sleeper.join();
        ASSERT_EQ(next().result, 1);
    }
}

// Goal: the daemon may compose in one thread and run in another. Method: created here, used and
// drained there, and destroyed here with nothing in flight.
TEST_F(UringIoTest, CreatedHereUsedThere) {
    const auto use = [](void* test) -> void* {
        auto& self = *static_cast<UringIoTest*>(test);
        self.submit_read(2);
        self.feed();
        const IoResult result = self.next();
        EXPECT_EQ(result.token, 2u);
        EXPECT_EQ(result.result, 1);
        return nullptr;
    };
    ServiceThread::start("user", use, static_cast<UringIoTest*>(this))->join();
    io.reset();
}

// Goal: a request that hangs can be ended, and only that one. Method: three reads of a silent pipe;
// cancel the middle one, twice; the others still get their byte.
TEST_F(UringIoTest, CancelEndsOneHangingRequest) {
    for (uint64_t token = 0; token < 3; ++token) submit_read(token);
    io->cancel(1);
    io->cancel(1);
    const IoResult cancelled = next();
    EXPECT_EQ(cancelled.token, 1u);
    EXPECT_EQ(cancelled.result, -ECANCELED);
    IoResult none;
    EXPECT_EQ(io->drain({&none, 1}), 0u);
    feed();
    EXPECT_EQ(next().result, 1);
    feed();
    EXPECT_EQ(next().result, 1);
}

// Goal: cancels beyond what the ring can queue are dropped, never overflow it. Method: many times
// more cancels than the depth for requests that stay in flight until the end.
TEST_F(UringIoTest, ManyCancelsDoNotOverflow) {
    for (int round = 0; round < 100; ++round) {
        for (uint64_t token = 0; token < 4; ++token) submit_read(token);
        for (int repeat = 0; repeat < 10; ++repeat)
            for (uint64_t token = 0; token < 4; ++token) io->cancel(token);
        for (int results = 0; results < 4; ++results) ASSERT_EQ(next().result, -ECANCELED);
    }
}

// Goal: nobody reuses a buffer that the kernel may still write to. Method: destroy the adapter with
// a read in flight that another thread feeds only then; afterwards the byte must be there.
TEST_F(UringIoTest, EndWaitsForRequestsInFlight) {
    submit_read(0);
    const auto feed_pipe = [](void* test) -> void* {
        auto& self = *static_cast<UringIoTest*>(test);
        self.ending.acquire();
        self.feed();
        return nullptr;
    };
    ServiceThread feeder =
        *ServiceThread::start("feeder", feed_pipe, static_cast<UringIoTest*>(this));
    ending.release();
    io.reset();
    EXPECT_EQ(bytes[0], std::byte{'x'});
    feeder.join();
}

// Goal: a depth that no ring is made for is refused. Method: both ends.
TEST_F(UringIoTest, RefusesDepthsOutOfBounds) {
    for (const uint32_t depth : {0u, limits::io_depth_max + 1})
        EXPECT_EQ(UringIo::create(read_end.get(), depth).error().code, Errc::invalid);
}

}  // namespace
}  // namespace ciuic
