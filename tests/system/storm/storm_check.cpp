// SPDX-License-Identifier: Apache-2.0
#include "tests/system/storm/storm_check.hpp"

#include "tests/support/seed.hpp"
#include "tests/system/daemon_process.hpp"
#include "tests/system/storm/storm.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

namespace ciuic::test {

namespace {

constexpr uint32_t budget_chunks = 32;
// Six clients with a fair share of five frames each, and four times that much memory.
constexpr uint32_t client_chunks = 20;
// Of the daemon itself, beside its frames: tables, reports of sessions that are gone.
constexpr int64_t growth_kib_max = 24 * 1024;
// How soon the daemon should see a death, and how long a survivor may wait: the goals.
constexpr double notice_goal_ms = 2;
constexpr double wait_goal_ms = 1000;

double ms(uint64_t ns) { return static_cast<double>(ns) / 1e6; }

double percentile_ms(std::vector<Nanos> times, size_t percent) {
    if (times.empty()) return 0;
    std::sort(times.begin(), times.end(), [](Nanos a, Nanos b) { return a < b; });
    return static_cast<double>(times[(times.size() - 1) * percent / 100].value) / 1e6;
}

// What a daemon without clients holds.
struct Holdings {
    explicit Holdings(pid_t pid)
        : fds(count_fds(pid)), memory_files(count_maps(pid, "/memfd:ciuic")),
          tmpfs(tmpfs_bytes(pid)), shmem_kib(status_kib(pid, "RssShmem")),
          rss_kib(status_kib(pid, "VmRSS")), threads(status_kib(pid, "Threads")) {}
    int64_t fds;
    int64_t memory_files;
    int64_t tmpfs;
    int64_t shmem_kib;
    int64_t rss_kib;
    int64_t threads;
};

void expect_nothing_leaked(const DaemonProcess& daemon, const Holdings& before) {
    nlohmann::json report;
    const bool idle = await([&] {
        report = daemon.report();
        return report["total"]["chunks_promised"] == 0 && report["total"]["frames"] == 0;
    });
    EXPECT_TRUE(idle) << report["total"].dump(2);
    EXPECT_EQ(report["store"]["places_used"], 0);
    EXPECT_EQ(report["store"]["places_quarantined"], 0);
    EXPECT_EQ(report["store"]["failures"], 0);
    EXPECT_EQ(report["total"]["chunks_lost"], 0);
    EXPECT_EQ(report["total"]["tag_failures"], 0);
    EXPECT_EQ(report["total"]["waits_expired"], 0);
    EXPECT_EQ(report["total"]["stray_touches"], 0);
    EXPECT_EQ(report["clients"]["violations"], 0) << daemon.log();
    EXPECT_EQ(report["clients"]["handshakes_timed_out"], 0);
    // The storm was one: chunks went out and came back.
    EXPECT_GT(report["total"]["evictions"], client_chunks);
    EXPECT_GT(report["total"]["fetches"], client_chunks);
    const Holdings after(daemon.pid());
    EXPECT_EQ(after.fds, before.fds);
    EXPECT_EQ(after.memory_files, before.memory_files);
    EXPECT_EQ(after.tmpfs, before.tmpfs);
    EXPECT_EQ(after.threads, before.threads);
    EXPECT_LE(after.shmem_kib, before.shmem_kib + 64);
    EXPECT_LE(after.rss_kib, before.rss_kib + growth_kib_max);
    std::printf("after: %lld descriptors, %lld KiB resident (before: %lld, %lld)\n",
                static_cast<long long>(after.fds), static_cast<long long>(after.rss_kib),
                static_cast<long long>(before.fds), static_cast<long long>(before.rss_kib));
}

void print(const Storm& storm, double seconds) {
    const StormResult& result = storm.result();
    std::printf("%u kills (%u of stopped clients), %u stops in %.1f s\n", result.kills,
                result.kills_of_stopped, result.stops, seconds);
    std::printf("a death is noticed after: median %.2f ms, 99%% %.2f ms from kill(); "
                "median %.2f ms, 99%% %.2f ms from the process's end (goal: median %.0f ms)\n",
                percentile_ms(result.after_kill, 50), percentile_ms(result.after_kill, 99),
                percentile_ms(result.after_death, 50), percentile_ms(result.after_death, 99),
                notice_goal_ms);
    std::printf("survivors waited at most %.1f ms, 99.9%% of their touches at most %.3f ms "
                "(goal: %.0f ms)\n",
                ms(storm.survivors_wait_max_ns()), ms(storm.survivors_wait_ns(999)), wait_goal_ms);
}

}  // namespace

void check_storm(const StormBounds& bounds) {
    if (const std::string why = why_no_daemon(); !why.empty()) GTEST_SKIP() << why;
    if (const std::string why = why_no_frames(bounds.frames); !why.empty()) GTEST_SKIP() << why;
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    std::printf("%s\n", seed_text(seed).c_str());
    const Scratch scratch("/var/tmp");
    DaemonProcess daemon(scratch.path());
    // Room for the dead whose memory is still on its way back.
    const std::string store = std::to_string(client_chunks * 20 * 2) + "MiB";
    ASSERT_TRUE(
        daemon.start({"--store", scratch.path(), "--store-size", store, "--budget",
                      std::to_string(budget_chunks * 2) + "MiB", "--frames", bounds.frames}))
        << daemon.log();
    ASSERT_FALSE(daemon.report().is_null());  // it has started altogether
    const Holdings before(daemon.pid());
    const Nanos began = now();
    {
        Storm storm({.socket = daemon.socket(),
                     .directory = scratch.path(),
                     .seed = seed,
                     .kills = bounds.kills,
                     .chunks = client_chunks});
        storm.run();
        storm.end();
        const StormResult& result = storm.result();
        print(storm, static_cast<double>((now() - began).value) / 1e9);
        for (const std::string& failure : result.failures) ADD_FAILURE() << failure;
        EXPECT_EQ(result.kills, bounds.kills);
        EXPECT_GT(result.stops, 0u);
        EXPECT_EQ(result.unnoticed, 0u);
        EXPECT_GT(result.after_kill.size(), bounds.kills / 2);
        EXPECT_GT(storm.record(0).pages_verified, client_chunks);
        EXPECT_GT(storm.record(0).fresh_pages, 0u);
        EXPECT_LT(ms(storm.survivors_wait_max_ns()),
                  static_cast<double>(bounds.survivors_wait_max.value) / 1e6);
    }
    ASSERT_FALSE(daemon.has_ended()) << daemon.log();
    expect_nothing_leaked(daemon, before);
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait(), 0) << daemon.log();
}

}  // namespace ciuic::test
