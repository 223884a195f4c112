// SPDX-License-Identifier: Apache-2.0
#include "base/service_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <string>

namespace ciuic {
namespace {

struct Seen {
    std::atomic<bool> done = false;
    sigset_t mask{};
    char name[16]{};
};

void* look(void* argument) {
    auto& seen = *static_cast<Seen*>(argument);
    pthread_sigmask(SIG_SETMASK, nullptr, &seen.mask);
    seen.done = true;
    return nullptr;
}

// Goal: no signal of the program ever runs on a service thread, and starting one leaves the
// caller's own mask alone. Method: the thread reports its mask; the caller's is compared.
TEST(ServiceThread, BlocksEverySignalOfItsOwnOnly) {
    sigset_t before;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    Seen seen;
    auto thread = ServiceThread::start("test", look, &seen);
    ASSERT_TRUE(thread.has_value());
    thread->join();
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGPROF})
        EXPECT_EQ(sigismember(&seen.mask, signal), 1) << signal;
    EXPECT_EQ(sigismember(&seen.mask, SIGBUS), 0) << "bus_guard answers it";
    sigset_t after;
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (int signal = 1; signal < SIGRTMAX; ++signal)
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
}

// Goal: the owner's end waits for the thread, also after it has moved. Method: what the thread
// wrote last is there when the scope ends.
TEST(ServiceThread, OwnerJoins) {
    Seen seen;
    {
        ServiceThread owner;
        auto started = ServiceThread::start("test", look, &seen);
        ASSERT_TRUE(started.has_value());
        owner = *std::move(started);
    }
    EXPECT_TRUE(seen.done);
}

}  // namespace
}  // namespace ciuic
