// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/range.hpp"

#include "base/check.hpp"
#include "base/unique_fd.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace ciuic::sim {

namespace {

constexpr unsigned seed_seconds_max = 60;
constexpr uint64_t failures_printed_max = 20;

// What the processes share with their parent.
struct Shared {
    std::atomic<uint64_t> next;  // seed to be taken, counted from 0
    struct Sums {
        uint64_t seeds = 0;
        uint64_t operations = 0;
        uint64_t words_checked = 0;
        uint64_t losses = 0;
        uint64_t expired = 0;
        std::array<uint64_t, faults> fault_counts{};
        uint64_t mark_bits = 0;
        uint64_t hash = 0;
        uint64_t running = 0;  // the seed under way, counted from 0
    };
    static constexpr size_t jobs_max = 64;
    Sums sums[jobs_max];
};

void add(Shared::Sums& sums, const RunReport& report) {
    ++sums.seeds;
    sums.operations += report.operations;
    sums.words_checked += report.words_checked;
    sums.losses += report.losses;
    sums.expired += report.expired;
    for (size_t fault = 0; fault < faults; ++fault)
        sums.fault_counts[fault] += report.fault_counts[fault];
    sums.mark_bits |= report.marks.bits();
    sums.hash += report.trace_hash;  // in any order: seeds are shared out by time
}

[[noreturn]] void work(const RangeOptions& options, Shared& shared, Shared::Sums& sums,
                       int message_fd) {
    ::dup2(message_fd, STDERR_FILENO);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const uint64_t index = shared.next.fetch_add(1);
        if (index >= options.count) ::_exit(0);
        sums.running = index;
        ::alarm(seed_seconds_max);
        if (::ftruncate(message_fd, 0) != 0 || ::lseek(message_fd, 0, SEEK_SET) != 0) ::_exit(1);
        add(sums, simulate(options.first + index, options.run));
    }
}

struct Worker {
    pid_t pid = -1;
    UniqueFd messages;
};

void start(Worker& worker, const RangeOptions& options, Shared& shared, Shared::Sums& sums) {
    std::fflush(stdout);
    worker.pid = ::fork();
    CIUIC_CHECK(worker.pid >= 0);
    if (worker.pid == 0) work(options, shared, sums, worker.messages.get());
}

std::string message_of(const Worker& worker) {
    std::string text(4096, '\0');
    const ssize_t length = ::pread(worker.messages.get(), text.data(), text.size(), 0);
    text.resize(length > 0 ? static_cast<size_t>(length) : 0);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

void print_failure(const RangeOptions& options, const Worker& worker, uint64_t seed, int status) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        std::printf("seed %" PRIu64 ": did not end within %u s\n", seed, seed_seconds_max);
    else
        std::printf("seed %" PRIu64 ": %s\n", seed, message_of(worker).c_str());
    std::printf("  replay: ciuic-sim %" PRIu64, seed);
    if (options.run.steps > 0) std::printf(" --steps %u", options.run.steps);
    std::printf(" --trace\n");
}

// Returns how many seeds failed.
uint64_t run_workers(const RangeOptions& options, uint32_t jobs, Shared& shared) {
    std::vector<Worker> workers(jobs);
    for (uint32_t job = 0; job < jobs; ++job) {
        workers[job].messages = UniqueFd(::memfd_create("ciuic-sim", MFD_CLOEXEC));
        CIUIC_CHECK(workers[job].messages);
        start(workers[job], options, shared, shared.sums[job]);
    }
    uint64_t failed = 0;
    for (uint32_t running = jobs; running > 0;) {
        int status = 0;
        const pid_t pid = ::wait(&status);
        if (pid < 0 && errno == EINTR) continue;
        const auto worker = std::find_if(workers.begin(), workers.end(),
                                         [pid](const Worker& entry) { return entry.pid == pid; });
        CIUIC_CHECK(worker != workers.end());
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            --running;
            continue;
        }
        Shared::Sums& sums = shared.sums[worker - workers.begin()];
        if (++failed <= failures_printed_max)
            print_failure(options, *worker, options.first + sums.running, status);
        start(*worker, options, shared, sums);
    }
    return failed;
}

bool print_marks(const RangeOptions& options, uint64_t bits) {
    bool complete = true;
    for (size_t mark = 0; mark < marks; ++mark) {
        if ((bits >> mark) & 1) continue;
        complete = false;
        if (options.requires_marks)
            std::printf("mark never hit: %s\n", mark_text(static_cast<Mark>(mark)));
    }
    return complete || !options.requires_marks;
}

bool print_sums(const RangeOptions& options, const Shared& shared, uint64_t failed) {
    Shared::Sums total;
    for (const Shared::Sums& sums : shared.sums) {
        total.seeds += sums.seeds;
        total.operations += sums.operations;
        total.words_checked += sums.words_checked;
        total.losses += sums.losses;
        total.expired += sums.expired;
        total.mark_bits |= sums.mark_bits;
        total.hash += sums.hash;
        for (size_t fault = 0; fault < faults; ++fault)
            total.fault_counts[fault] += sums.fault_counts[fault];
    }
    const bool has_marks = print_marks(options, total.mark_bits);
    uint64_t injected = 0;
    std::printf("faults:");
    for (size_t fault = 0; fault < faults; ++fault) {
        injected += total.fault_counts[fault];
        std::printf(" %s %" PRIu64, fault_text(static_cast<Fault>(fault)),
                    total.fault_counts[fault]);
    }
    std::printf("\nseeds %" PRIu64 " .. %" PRIu64 ": %" PRIu64 " passed, %" PRIu64
                " failed; operations %" PRIu64 ", bytes compared %" PRIu64
                ", faults injected %" PRIu64 ", losses explained %" PRIu64
                ", waits expired %" PRIu64 ", marks %d of %zu, hash %016" PRIx64 "\n",
                options.first, options.first + options.count - 1, total.seeds, failed,
                total.operations, total.words_checked * 8, injected, total.losses, total.expired,
                __builtin_popcountll(total.mark_bits), marks, total.hash);
    return has_marks;
}

}  // namespace

bool run_range(const RangeOptions& options) {
    void* const memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CIUIC_CHECK(memory != MAP_FAILED);
    Shared& shared = *new (memory) Shared{};
    const auto jobs =
        static_cast<uint32_t>(std::clamp<uint64_t>(options.jobs, 1, Shared::jobs_max));
    const uint64_t failed = run_workers(options, jobs, shared);
    const bool has_marks = print_sums(options, shared, failed);
    ::munmap(memory, sizeof(Shared));
    return failed == 0 && has_marks;
}

}  // namespace ciuic::sim
