// SPDX-License-Identifier: Apache-2.0
#include "device/host/bus_guard.hpp"

#include "base/mapping.hpp"
#include "base/service_thread.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

namespace ciuic {
namespace {

constexpr size_t step_bytes = 64 * KiB;
constexpr size_t steps = 8;

class BusGuardTest : public testing::Test {
protected:
    void SetUp() override {
        file_ = UniqueFd(::memfd_create("guarded", MFD_CLOEXEC));
        ASSERT_EQ(::ftruncate(file_.get(), steps * step_bytes), 0);
        auto mapping =
            Mapping::create(steps * step_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get());
        ASSERT_TRUE(mapping);
        mapping_ = *std::move(mapping);
    }
    void guard() {
        auto guarded = GuardedRange::watch(mapping_.bytes(), step_bytes);
        ASSERT_TRUE(guarded);
        guard_ = *std::move(guarded);
    }
    // Any byte of the step; the compiler must not drop the read.
    std::byte look(size_t step) const {
        return *const_cast<volatile std::byte*>(mapping_.data() + step * step_bytes + 17);
    }

    UniqueFd file_;
    Mapping mapping_;
    GuardedRange guard_;
};

// Goal: a touch behind the end of the file finds zeros that can be written, and the range knows;
// what is still in the file is untouched. Method: cut the file in half, look at every step.
TEST_F(BusGuardTest, PutsZerosUnderAFailedTouch) {
    std::fill(mapping_.data(), mapping_.data() + mapping_.size_bytes(), std::byte{3});
    guard();
    const uint32_t before = GuardedRange::hits();
    ASSERT_EQ(::ftruncate(file_.get(), steps / 2 * step_bytes), 0);
    EXPECT_EQ(look(0), std::byte{3});
    EXPECT_FALSE(guard_.was_hit());
    for (size_t step = steps / 2; step < steps; ++step) {
        EXPECT_EQ(look(step), std::byte{0});
        mapping_.data()[(step + 1) * step_bytes - 1] = std::byte{5};
        EXPECT_EQ(mapping_.data()[(step + 1) * step_bytes - 1], std::byte{5});
    }
    EXPECT_TRUE(guard_.was_hit());
    EXPECT_EQ(GuardedRange::hits(), before + steps / 2);
    EXPECT_EQ(look(steps / 2 - 1), std::byte{3});
}

// Goal: threads that fail at the same time all go on. Method: four of them, every step of an empty
// file.
TEST_F(BusGuardTest, ServesManyThreads) {
    guard();
    ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
    std::atomic<uint32_t> sum{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (size_t step = 0; step < steps; ++step) sum += static_cast<uint32_t>(look(step));
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(sum.load(), 0u);
    EXPECT_TRUE(guard_.was_hit());
}

// Goal: the threads that hash and zero survive as the engine's does, although they take no signals.
// Method: a service thread touches what has been cut off.
TEST_F(BusGuardTest, ServesServiceThreads) {
    guard();
    ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
    const auto touch = [](void* place) -> void* {
        *static_cast<volatile std::byte*>(place) = std::byte{1};
        return nullptr;
    };
    auto thread = ServiceThread::start("touch", touch, mapping_.data());
    ASSERT_TRUE(thread);
    thread->join();
    EXPECT_TRUE(guard_.was_hit());
}

// Goal: what is not guarded, or no more, ends the process as it always did; so does a SIGBUS that
// somebody sends. Method: a child process each.
TEST_F(BusGuardTest, LeavesOtherTouchesAlone) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    guard();
    guard_.reset();
    ASSERT_EQ(::ftruncate(file_.get(), 0), 0);
    EXPECT_FALSE(guard_.was_hit());
    EXPECT_DEATH((void)look(0), "");
    guard();
    EXPECT_DEATH(::kill(::getpid(), SIGBUS), "");
    EXPECT_EQ(look(0), std::byte{0});
}

}  // namespace
}  // namespace ciuic
