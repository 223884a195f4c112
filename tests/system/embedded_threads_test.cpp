// SPDX-License-Identifier: Apache-2.0
//
// A session inside a process that is refused io_uring.
#include "base/units.hpp"
#include "ciuic/vmm.hpp"
#include "tests/support/no_io_uring.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace ciuic {
namespace {

enum class Outcome { good, no_filter, not_opened, no_threads, wrong_bytes, not_paged, died };

bool has_thread(const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string own;
        std::getline(std::ifstream(task.path() / "comm") >> std::ws, own);
        if (own.rfind(name, 0) == 0) return true;
    }
    return false;
}

// Four times the budget, written and read twice.
bool keeps_bytes(uint64_t* words, uint64_t count) {
    for (uint64_t round = 1; round <= 2; ++round) {
        for (uint64_t word = 0; word < count; ++word)
            words[word] = word * 0x9e3779b97f4a7c15 + round;
        for (uint64_t word = 0; word < count; ++word)
            if (words[word] != word * 0x9e3779b97f4a7c15 + round) return false;
    }
    return true;
}

Outcome page_without_io_uring(int os_error) {
    if (!test::refuse_io_uring(os_error)) return Outcome::no_filter;
    constexpr uint64_t size_bytes = 64 * MiB;
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_EMBEDDED;
    options.budget_bytes = size_bytes / 4;
    options.store_bytes = size_bytes;
    vmm::Session session;
    if (session.open(&options) != CIUIC_OK) {
        std::fprintf(stderr, "%s\n", ciuic_last_error_text());
        return Outcome::not_opened;
    }
    if (!has_thread("ciuic-io")) return Outcome::no_threads;
    void* memory = nullptr;
    if (ciuic_alloc(session, size_bytes, &memory) != CIUIC_OK) return Outcome::not_opened;
    if (!keeps_bytes(static_cast<uint64_t*>(memory), size_bytes / sizeof(uint64_t)))
        return Outcome::wrong_bytes;
    ciuic_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    const bool paged = ciuic_stats(session, &statistics) == CIUIC_OK &&
                       statistics.store_bytes_written > 0 && statistics.store_bytes_read > 0;
    return paged ? Outcome::good : Outcome::not_paged;
}

// Goal: a session inside a process needs no io_uring. Method: a child with a filter; its I/O
// threads, every word of four times the budget, and the statistics.
TEST(EmbeddedThreads, ServeWhereIoUringIsRefused) {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_EMBEDDED;
    options.budget_bytes = 16 * MiB;
    options.store_bytes = 16 * MiB;
    vmm::Session session;
    if (session.open(&options) == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();
    session.close();
    for (const int os_error : {EPERM, ENOSYS}) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(static_cast<int>(page_without_io_uring(os_error)));
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        const auto outcome =
            WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : Outcome::died;
        if (outcome == Outcome::no_filter) GTEST_SKIP() << "seccomp filters are refused here";
        EXPECT_EQ(outcome, Outcome::good) << os_error;
    }
}

}  // namespace
}  // namespace ciuic
