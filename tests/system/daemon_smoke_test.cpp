// SPDX-License-Identifier: Apache-2.0
//
// The real daemon and clients that speak the bare protocol: no client library.
#include "device/host/rung.hpp"
#include "tests/support/huge_pages.hpp"
#include "tests/system/bare_client.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ciuic {
namespace {

using test::BareClient;
using test::Pipe;

constexpr uint32_t budget_chunks = 16;
constexpr uint32_t used_chunks = 48;  // three times the budget

class DaemonSmokeTest : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (const HostRungReport here = host_rung(); here.rung == HostRung::none)
            GTEST_SKIP() << here.why;
        std::string pattern = testing::TempDir() + "ciuic-smoke-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        if (std::string(GetParam()) == "hugetlb") {
            huge_pages_ = std::make_unique<test::HugePages>(budget_chunks);
            if (!huge_pages_->refusal().empty()) GTEST_SKIP() << huge_pages_->refusal();
        }
        const std::string why = test::why_no_frames(GetParam());
        if (!why.empty()) GTEST_SKIP() << why;
        start_daemon();
    }
    void TearDown() override {
        for (const pid_t pid : {client_, daemon_}) {
            if (pid <= 0) continue;
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        if (!directory_.empty()) std::filesystem::remove_all(directory_);
    }

    void start_daemon() {
        const Pipe ready;
        const std::string ready_fd = std::to_string(ready.in.get());
        const std::string socket = directory_ + "/s";
        const std::string report = directory_ + "/r.json";
        daemon_ = ::fork();
        if (daemon_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::fcntl(ready.in.get(), F_SETFD, 0);
            ::execl(CIUIC_BIN_DIR "/ciuic-swapd", "ciuic-swapd", "--socket", socket.c_str(),
                    "--store", directory_.c_str(), "--store-size", "128MiB", "--budget", "32MiB",
                    "--frames", GetParam(), "--report", report.c_str(), "--ready-fd",
                    ready_fd.c_str(), nullptr);
            ::_exit(127);
        }
        Pipe closed;  // this process's copy of the writing end must not keep the pipe open
        ASSERT_EQ(::dup3(closed.out.get(), ready.in.get(), O_CLOEXEC), ready.in.get());
        if (ready.read_byte() == 'R') return;
        int status = 0;
        ::waitpid(daemon_, &status, 0);
        daemon_ = 0;
        FAIL() << "the daemon ended with status " << status;
    }

    // A client that fills its memory, says 'f', and on every 'c' says whether it is intact.
    void start_client() {
        client_ = ::fork();
        if (client_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        to_client_.in.reset();
        auto client = BareClient::connect(directory_ + "/s");
        if (!client || client->promise(0, used_chunks) != Errc::ok) ::_exit(1);
        client->fill(used_chunks, 1);
        from_client_.write_byte('f');
        while (to_client_.read_byte() == 'c')
            from_client_.write_byte(client->is_intact(used_chunks, 1) ? 'y' : 'n');
        ::_exit(0);
    }
    bool client_is_intact() {
        to_client_.write_byte('c');
        return from_client_.read_byte() == 'y';
    }

    int wait_for_daemon() {
        int status = 0;
        EXPECT_EQ(::waitpid(daemon_, &status, 0), daemon_);
        daemon_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    void reap_client() {
        ::waitpid(client_, nullptr, 0);
        client_ = 0;
    }
    nlohmann::json report() {
        std::ifstream file(directory_ + "/r.json");
        return nlohmann::json::parse(file);
    }

    std::unique_ptr<test::HugePages> huge_pages_;
    std::string directory_;
    Pipe to_client_;
    Pipe from_client_;
    pid_t daemon_ = 0;
    pid_t client_ = 0;
};

// Goal: a program with three times the budget finds every byte again, and after kill -9 the daemon
// has all of its memory back. Method: fill, verify twice, kill, stop the daemon, read its report.
TEST_P(DaemonSmokeTest, KeepsEveryByteAndTakesBackADeadClientsMemory) {
    start_client();
    ASSERT_EQ(from_client_.read_byte(), 'f');
    EXPECT_TRUE(client_is_intact());
    EXPECT_TRUE(client_is_intact());
    ::kill(client_, SIGKILL);
    reap_client();
    ::kill(daemon_, SIGTERM);
    EXPECT_EQ(wait_for_daemon(), 0);
    const auto result = report();
    ASSERT_EQ(result["sessions"].size(), 1u);
    const auto& session = result["sessions"][0];
    EXPECT_EQ(session["name"], "bare");
    EXPECT_EQ(session["ended"], true);
    EXPECT_GE(session["evictions"], used_chunks - budget_chunks);
    EXPECT_GE(session["fetches"], used_chunks - budget_chunks);
    EXPECT_LE(session["frames_peak"], budget_chunks);
    EXPECT_EQ(result["total"]["frames"], 0);
    EXPECT_EQ(result["total"]["chunks_promised"], 0);
    EXPECT_EQ(result["total"]["chunks_lost"], 0);
    EXPECT_GE(result["store"]["bytes_written"], (used_chunks - budget_chunks) * 2 * MiB);
    EXPECT_EQ(result["device"]["frames"], budget_chunks);
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/s"));
}

// Goal: SIGTERM does not take the pager from under a living client. Method: after the signal the
// client still finds its bytes; the daemon ends when it does. A second signal would not wait.
TEST_P(DaemonSmokeTest, StopsAfterItsLastClient) {
    start_client();
    ASSERT_EQ(from_client_.read_byte(), 'f');
    ::kill(daemon_, SIGTERM);
    EXPECT_TRUE(client_is_intact());
    to_client_.in.reset();
    reap_client();
    EXPECT_EQ(wait_for_daemon(), 0);
    EXPECT_EQ(report()["sessions"].size(), 1u);
}

// Goal: a second signal stops at once, and says that clients were left. Method: two signals; the
// report that SIGUSR1 asked for in between tells that the first has been taken.
TEST_P(DaemonSmokeTest, StopsAtOnceOnTheSecondSignal) {
    start_client();
    ASSERT_EQ(from_client_.read_byte(), 'f');
    ::kill(daemon_, SIGTERM);
    EXPECT_TRUE(client_is_intact());
    ::kill(daemon_, SIGTERM);
    EXPECT_EQ(wait_for_daemon(), 3);
    EXPECT_EQ(report()["sessions"][0]["ended"], false);
}

INSTANTIATE_TEST_SUITE_P(Frames, DaemonSmokeTest, testing::Values("memfd", "tmpfs", "hugetlb"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ciuic
