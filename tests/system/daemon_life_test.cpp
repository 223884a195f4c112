// SPDX-License-Identifier: Apache-2.0
//
// The daemon's life and death: SIGKILL at any moment of its clients', what they see then, and what
// the next daemon finds.
#include "base/random.hpp"
#include "limits.hpp"
#include "tests/support/seed.hpp"
#include "tests/system/test_client.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t budget_chunks = 16;
constexpr uint64_t pages_per_chunk = 512;

class DaemonLifeTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string why = why_no_daemon(); !why.empty()) GTEST_SKIP() << why;
    }

    // The store is a named file, which stays: the next daemon uses it too.
    std::vector<std::string> arguments() const {
        return {"--store",      scratch_.path() + "/store",
                "--store-size", "256MiB",
                "--budget",     "32MiB",
                "--frames",     "memfd"};
    }
    void start() { ASSERT_TRUE(daemon_.start(arguments())) << daemon_.log(); }

    // A client with three times the budget finds every byte.
    void expect_service() {
        TestClient client([this](ClientFacts& facts) {
            StampedMemory memory(daemon_.socket(), 3 * budget_chunks, 77);
            memory.fill(facts);
            memory.verify_all(facts);
            memory.close();
            return ended_well;
        });
        EXPECT_EQ(client.wait(), ended_well);
        EXPECT_EQ(client.facts().right, 3 * budget_chunks * pages_per_chunk);
        EXPECT_EQ(client.facts().refused, 0u);
    }

    void expect_next_daemon() {
        start();
        expect_service();
        const auto report = daemon_.report();
        EXPECT_EQ(report["sessions"].size(), 1u);
        EXPECT_GE(report["total"]["evictions"], 2 * budget_chunks);
        EXPECT_GE(report["total"]["fetches"], 2 * budget_chunks);
        EXPECT_EQ(report["total"]["tag_failures"], 0);
    }

    Scratch scratch_{"/var/tmp"};
    DaemonProcess daemon_{scratch_.path()};
};

// Goal: what was on the device stays usable, readable and writable. Method: a client that fits the
// budget and is idle when the daemon dies.
TEST_F(DaemonLifeTest, ResidentMemoryOutlivesTheDaemon) {
    start();
    TestClient client([this](ClientFacts& facts) {
        StampedMemory memory(daemon_.socket(), budget_chunks / 2, 1);
        memory.fill(facts);
        facts.phase = 1;
        facts.await_go(1);
        memory.verify_all(facts);
        memory.fill(facts);
        memory.verify_all(facts);
        return ended_well;
    });
    ASSERT_TRUE(client.await_phase(1));
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    client.go();
    EXPECT_EQ(client.wait(), ended_well);
    EXPECT_EQ(client.facts().right, 2 * budget_chunks / 2 * pages_per_chunk);
    EXPECT_EQ(client.facts().refused, 0u);
    expect_next_daemon();
}

// Goal: a touch that waits when the daemon dies raises SIGBUS, and so does every later one of
// absent memory; no touch hangs or reads anything but its bytes. Method: the daemon is stopped
// until the client waits at a fault, then killed; the client goes through all of its memory.
TEST_F(DaemonLifeTest, AWaitingFaultIsPoisoned) {
    start();
    TestClient client([this](ClientFacts& facts) {
        StampedMemory memory(daemon_.socket(), 4 * budget_chunks, 2);
        memory.fill(facts);
        facts.phase = 1;
        facts.await_go(1);
        uint64_t page = 0;
        while (page < memory.pages() && memory.verify(page, facts)) ++page;
        facts.phase = 2;
        memory.verify_all(facts);
        return ended_well;
    });
    ASSERT_TRUE(client.await_phase(1));
    daemon_.signal(SIGSTOP);
    ASSERT_TRUE(await([&] { return is_stopped(daemon_.pid()); }));
    client.go();
    ASSERT_TRUE(await([&] { return waits_in(client.pid(), "userfault"); }));
    EXPECT_EQ(client.facts().phase, 1u);
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    const Nanos died = now();
    EXPECT_TRUE(client.await_phase(2));
    std::printf("a waiting fault was answered %.1f ms after the daemon's end\n",
                static_cast<double>((now() - died).value) / 1e6);
    EXPECT_EQ(client.wait(), ended_well);
    // At least what cannot have been on the device.
    EXPECT_GE(client.facts().refused, 3 * budget_chunks * pages_per_chunk);
    EXPECT_GT(client.facts().right, 0u);
    expect_next_daemon();
}

// Goal: the same whatever is under way. Method: a writer, whose chunks are moved out all the time,
// and a reader that runs through its memory, ahead of which chunks are brought in; the daemon is
// killed at random moments, and started again on the same file.
TEST_F(DaemonLifeTest, DeathInTheMiddleOfMovesShowsNoWrongByte) {
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Random random(seed);
    for (int round = 0; round < 8; ++round) {
        SCOPED_TRACE(round);
        start();
        const uint64_t salt = random.next();
        const auto body = [&](bool writes) {
            return [this, salt, writes](ClientFacts& facts) {
                StampedMemory memory(daemon_.socket(), 2 * budget_chunks, salt);
                memory.fill(facts);
                facts.phase = 1;
                for (uint64_t page = 0; facts.refused == 0; page = (page + 1) % memory.pages())
                    (void)(writes ? memory.write(page, facts) : memory.verify(page, facts));
                memory.verify_all(facts);
                return ended_well;
            };
        };
        TestClient writer(body(true));
        TestClient reader(body(false));
        ASSERT_TRUE(writer.await_phase(1));
        ASSERT_TRUE(reader.await_phase(1));
        ASSERT_TRUE(await([&] { return reader.facts().right > 0; }));
        pause({static_cast<int64_t>(random.below(50'000'000))});
        EXPECT_EQ(daemon_.kill(), -SIGKILL);
        for (TestClient* client : {&writer, &reader}) {
            EXPECT_EQ(client->wait(), ended_well);
            EXPECT_GT(client->facts().refused, 0u);
        }
    }
    expect_next_daemon();
}

// Goal: a call that waits for the daemon when it dies ends with an error that says so, and so does
// every later one; closing still works. Method: acquire at a stopped daemon, which is then killed.
TEST_F(DaemonLifeTest, CallsEndWithTheDaemon) {
    start();
    TestClient client([this](ClientFacts& facts) {
        StampedMemory memory(daemon_.socket(), 4 * budget_chunks, 3);
        memory.fill(facts);
        facts.phase = 1;
        facts.await_go(1);
        ciuic_status worst = CIUIC_OK;
        for (uint64_t chunk = 0; chunk < 4 * budget_chunks && worst == CIUIC_OK; ++chunk) {
            const ciuic_range range = memory.range(chunk, 1);
            worst = ciuic_acquire(memory.session(), &range, 1, CIUIC_READ, nullptr);
            if (worst == CIUIC_OK) ciuic_release(memory.session(), &range, 1, nullptr);
        }
        facts.status = worst;
        void* more = nullptr;
        if (ciuic_alloc(memory.session(), 1, &more) != CIUIC_E_DISCONNECTED) return call_failed;
        if (std::string(ciuic_last_error_text()).find("daemon") == std::string::npos) return 5;
        memory.close();
        return ended_well;
    });
    ASSERT_TRUE(client.await_phase(1));
    daemon_.signal(SIGSTOP);
    client.go();
    ASSERT_TRUE(await([&] { return waits_in(client.pid(), "futex"); }));
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    EXPECT_EQ(client.wait(), ended_well);
    EXPECT_EQ(client.facts().status, static_cast<uint32_t>(CIUIC_E_DISCONNECTED));
}

// Goal: a client that opens a session at a daemon that dies gets a clear error at once. Method: the
// daemon is stopped before the handshake and killed in the middle of it.
TEST_F(DaemonLifeTest, OpeningEndsWithTheDaemon) {
    start();
    daemon_.signal(SIGSTOP);
    ASSERT_TRUE(await([&] { return is_stopped(daemon_.pid()); }));
    TestClient client([this](ClientFacts& facts) {
        ciuic_session* session = nullptr;
        facts.status = open_session(daemon_.socket(), &session);
        return std::string(ciuic_last_error_text()).empty() ? call_failed : ended_well;
    });
    ASSERT_TRUE(await([&] { return waits_in(client.pid(), "poll"); }));
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    EXPECT_EQ(client.wait(), ended_well);
    EXPECT_EQ(client.facts().status, static_cast<uint32_t>(CIUIC_E_DISCONNECTED));
}

// Goal: at whatever step of the handshake the daemon dies, opening succeeds or says that there is
// none. Method: clients that open and close without pause while daemons are killed at random.
TEST_F(DaemonLifeTest, DeathInTheMiddleOfHandshakes) {
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Random random(seed);
    for (int round = 0; round < 20; ++round) {
        SCOPED_TRACE(round);
        start();
        TestClient client([this](ClientFacts& facts) {
            ciuic_status status = CIUIC_OK;
            while (status == CIUIC_OK) {
                ciuic_session* session = nullptr;
                status = open_session(daemon_.socket(), &session);
                if (status == CIUIC_OK) ciuic_close(session);
                facts.phase.fetch_add(1);
            }
            facts.status = status;
            return ended_well;
        });
        ASSERT_TRUE(client.await_phase(2));
        pause({static_cast<int64_t>(random.below(10'000'000))});
        EXPECT_EQ(daemon_.kill(), -SIGKILL);
        EXPECT_EQ(client.wait(), ended_well);
        EXPECT_EQ(client.facts().status, static_cast<uint32_t>(CIUIC_E_DISCONNECTED));
    }
}

class TwoDaemonsTest : public DaemonLifeTest {
protected:
    void SetUp() override {
        DaemonLifeTest::SetUp();
        if (IsSkipped()) return;
        start();
    }

    // It is refused at once, in one line with the text `why`; the first one goes on.
    void expect_refusal(DaemonProcess& second, const std::vector<std::string>& with,
                        const std::string& why) {
        const Nanos began = now();
        EXPECT_FALSE(second.start(with));
        EXPECT_GT(second.status(), 0);
        EXPECT_LT(now() - began, limits::fence_deadline);
        const std::string log = second.log();
        EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
        EXPECT_NE(log.find(why), std::string::npos) << log;
        expect_service();
    }
};

// Goal: one store has one daemon; a dead one is succeeded. Method: a second with the same file and
// a socket of its own, before and after the first is killed.
TEST_F(TwoDaemonsTest, OneFile) {
    const Scratch other("/var/tmp");
    DaemonProcess second(other.path());
    expect_refusal(second, arguments(), "another process uses the file");
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    EXPECT_TRUE(second.start(arguments())) << second.log();
}

// Goal: one socket has one daemon; that of a dead one is replaced. Method: a second with a store of
// its own.
TEST_F(TwoDaemonsTest, OneSocket) {
    DaemonProcess second(scratch_.path());
    std::vector<std::string> with = arguments();
    with[1] = scratch_.path() + "/other-store";
    expect_refusal(second, with, "another daemon listens on the socket");
    EXPECT_EQ(daemon_.kill(), -SIGKILL);
    EXPECT_TRUE(second.start(with)) << second.log();
}

}  // namespace
}  // namespace ciuic::test
