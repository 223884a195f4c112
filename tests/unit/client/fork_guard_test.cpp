// SPDX-License-Identifier: Apache-2.0
#include "base/units.hpp"
#include "tests/unit/client/small_session.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

namespace ciuic {
namespace {

using test::SmallSession;

// Runs `check` in a child; returns what it returned, or minus the signal that ended it.
template <typename Check> int in_child(Check check) {
    const pid_t child = ::fork();
    if (child == 0) {
        test::die_by_bad_access();
        ::_exit(check());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Descriptors of a session that would live on in a child with consequences: the pager's, the
// store's with its lock, the segments, what wakes the engine. (A ring without its process is dead.)
int session_descriptors() {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry, gone).string();
        for (const char* kind : {"userfaultfd", "eventfd", "eventpoll", "ciuic-"})
            if (target.find(kind) != std::string::npos) ++count;
        if (target.find("/var/tmp/#") != std::string::npos) ++count;
    }
    return count;
}

struct ForkGuard : testing::Test {
    SmallSession small;
    vmm::Region region;
    void* allocation = nullptr;

    void SetUp() override {
        OPEN_OR_SKIP(small, 64 * KiB, 64);
        ASSERT_EQ(region.create(small.session, 48 * small.chunk_bytes), CIUIC_OK);
        ASSERT_EQ(ciuic_alloc(small.session, 2 * small.chunk_bytes, &allocation), CIUIC_OK);
        for (uint64_t chunk = 0; chunk < 48; ++chunk) small.write(region.address(), chunk, 1);
    }
    void expect_intact() {
        for (uint64_t chunk = 0; chunk < 48; ++chunk)
            EXPECT_EQ(small.wrong_words(region.address(), chunk, 1), 0u) << "chunk " << chunk;
    }
};

// Goal: in a child every call is refused but those that free or ask about inherited memory.
// Method: all of them; the child's exit status says which one was wrong.
TEST_F(ForkGuard, ChildHasNoPartInTheSession) {
    const int result = in_child([&] {
        ciuic_session* session = small.session;
        const ciuic_range range = {region.get(), 0, 1};
        ciuic_region_options options{};
        options.struct_size = sizeof options;
        options.size_bytes = 1;
        ciuic_statistics statistics{};
        statistics.struct_size = sizeof statistics;
        ciuic_region* created = nullptr;
        void* memory = nullptr;
        if (ciuic_acquire(session, &range, 1, CIUIC_READ, nullptr) != CIUIC_E_FORKED) return 1;
        if (ciuic_release(session, &range, 1, nullptr) != CIUIC_E_FORKED) return 2;
        if (ciuic_prefetch(session, &range, 1, nullptr) != CIUIC_E_FORKED) return 3;
        if (ciuic_advise(session, &range, 1, CIUIC_ADVICE_COLD) != CIUIC_E_FORKED) return 4;
        if (ciuic_alloc(session, 1, &memory) != CIUIC_E_FORKED) return 5;
        if (ciuic_region_create(session, &options, &created) != CIUIC_E_FORKED) return 6;
        if (ciuic_region_resize(region.get(), 1) != CIUIC_E_FORKED) return 7;
        if (ciuic_region_destroy(region.get()) != CIUIC_E_FORKED) return 8;
        if (ciuic_alloc_resize(session, allocation, 1) != CIUIC_E_FORKED) return 9;
        if (ciuic_stats(session, &statistics) != CIUIC_E_FORKED) return 10;
        if (ciuic_close(session) != CIUIC_E_FORKED) return 11;
        if (ciuic_free(session, allocation) != CIUIC_OK) return 12;
        if (ciuic_free(session, &memory) != CIUIC_E_FORKED) return 13;
        if (ciuic_owns(session, allocation) != 1) return 14;
        if (ciuic_usable_size(session, allocation) != 2 * small.chunk_bytes) return 15;
        if (session_descriptors() != 0) return 16;
        return 0;
    });
    EXPECT_EQ(result, 0);
    expect_intact();
}

// Goal: a child's touch of the parent's memory ends the child and leaves the parent's bytes alone,
// those on the device and those in the store; its addresses are not given to anybody else in the
// child. Method: a touch of the first and last chunk; a mapping wanted there.
TEST_F(ForkGuard, ChildCannotTouchTheMemory) {
    for (const uint64_t chunk : {uint64_t{0}, uint64_t{47}})
        EXPECT_EQ(in_child([&] {
                      small.words_of(region.address(), chunk)[0] = 0;
                      return 0;
                  }),
                  -SIGSEGV);
    EXPECT_EQ(in_child([&] {
                  void* got =
                      ::mmap(region.address(), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  return got == region.address() ? 1 : 0;
              }),
              0);
    expect_intact();
}

#ifndef __SANITIZE_THREAD__
// Goal: a child opens a session of its own, and its child again. Method: both write more than the
// budget and read it back.
TEST_F(ForkGuard, ChildOpensItsOwn) {
    const auto use = [](auto& self, int depth) -> int {
        SmallSession own;
        void* memory = nullptr;
        if (own.open(64 * KiB, 64) != CIUIC_OK) return 1;
        if (ciuic_alloc(own.session, 64 * own.chunk_bytes, &memory) != CIUIC_OK) return 2;
        for (uint64_t chunk = 0; chunk < 64; ++chunk) own.write(memory, chunk, 2);
        if (depth > 0 && in_child([&] { return self(self, depth - 1); }) != 0) return 3;
        for (uint64_t chunk = 0; chunk < 64; ++chunk)
            if (own.wrong_words(memory, chunk, 2) != 0) return 4;
        return 0;
    };
    EXPECT_EQ(in_child([&] { return use(use, 1); }), 0);
    expect_intact();
}
#endif

// Goal: forks in the midst of other threads' allocations leave a child that can still ask about
// inherited memory, and a parent that goes on. Method: two threads allocate, touch and free while
// children are made.
TEST_F(ForkGuard, ForksAmongAllocations) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> wrong{0};
    const auto churn = [&] {
        while (!stop) {
            void* memory = nullptr;
            if (ciuic_alloc(small.session, 3 * small.chunk_bytes, &memory) != CIUIC_OK) {
                ++wrong;
                continue;
            }
            small.write(memory, 1, 3);
            if (small.wrong_words(memory, 1, 3) != 0) ++wrong;
            if (ciuic_free(small.session, memory) != CIUIC_OK) ++wrong;
        }
    };
    std::thread first(churn);
    std::thread second(churn);
    for (int round = 0; round < 20; ++round)
        EXPECT_EQ(in_child([&] {
                      return ciuic_usable_size(small.session, allocation) == 2 * small.chunk_bytes
                                 ? 0
                                 : 1;
                  }),
                  0);
    stop = true;
    first.join();
    second.join();
    EXPECT_EQ(wrong, 0u);
    expect_intact();
}

}  // namespace
}  // namespace ciuic
