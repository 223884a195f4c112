// SPDX-License-Identifier: Apache-2.0
//
// A machine that runs short: of room on the disk, of memory in the daemon's cgroup.
#include "base/unique_fd.hpp"
#include "tests/system/test_client.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t budget_chunks = 16;
constexpr uint64_t client_chunks = 3 * budget_chunks;
constexpr uint64_t pages_per_chunk = 512;
constexpr uint64_t pages_per_run = 128;  // written together
constexpr uint64_t stride = 29;          // in runs; has no divisor in common with their number

class ShortageTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string why = why_no_daemon(); !why.empty()) GTEST_SKIP() << why;
    }

    std::vector<std::string> arguments(const std::string& store, const char* store_size) const {
        return {"--store",  store,   "--store-size", store_size,
                "--budget", "32MiB", "--frames",     "memfd"};
    }

    // Writes and verifies three times the budget, in an order that leaves and fills gaps.
    int use_memory() {
        TestClient client([this](ClientFacts& facts) {
            StampedMemory memory(daemon_.socket(), client_chunks, 5);
            const uint64_t runs = memory.pages() / pages_per_run;
            for (uint64_t count = 0; count < runs; ++count) {
                const uint64_t first = count * stride % runs * pages_per_run;
                for (uint64_t page = first; page < first + pages_per_run; ++page)
                    memory.write(page, facts);
            }
            memory.verify_all(facts);
            memory.close();
            return ended_well;
        });
        const int status = client.wait();
        right_ = client.facts().right;
        refused_ = client.facts().refused;
        return status;
    }

    Scratch scratch_{"/var/tmp"};
    DaemonProcess daemon_{scratch_.path()};
    uint64_t right_ = 0;
    uint64_t refused_ = 0;
};

// A file system of its own in a file, which goes with its owner.
class LoopDisk {
public:
    LoopDisk(const std::string& directory, const char* size) : point_(directory + "/disk") {
        const std::string image = directory + "/image";
        ::mkdir(point_.c_str(), 0700);
        const std::string command = "exec >/dev/null 2>&1; truncate -s " + std::string(size) + " " +
                                    image + " && mkfs.ext4 -q -F " + image + " && mount -o loop " +
                                    image + " " + point_;
        mounted_ = std::system(command.c_str()) == 0;  // NOLINT(cert-env33-c)
    }
    ~LoopDisk() {
        if (mounted_) ::umount2(point_.c_str(), MNT_DETACH);
    }
    LoopDisk(const LoopDisk&) = delete;
    LoopDisk& operator=(const LoopDisk&) = delete;
    bool mounted() const { return mounted_; }
    const std::string& point() const { return point_; }

    // Writes files until there is not one block left.
    void fill_up() const {
        const std::vector<char> block(1 << 20, 'x');
        const UniqueFd file(::open((point_ + "/full").c_str(), O_WRONLY | O_CREAT, 0600));
        for (size_t length = block.size(); length > 0;)
            if (::write(file.get(), block.data(), length) <= 0) length /= 2;
        ASSERT_EQ(errno, ENOSPC);
        ASSERT_EQ(::fsync(file.get()), 0);
    }

private:
    std::string point_;
    bool mounted_ = false;
};

// Goal: a store that does not fit is refused at the start, in one line. Method: a disk of 96 MiB.
TEST_F(ShortageTest, AStoreThatDoesNotFitIsRefused) {
    const LoopDisk disk(scratch_.path(), "96M");
    if (!disk.mounted()) GTEST_SKIP() << "no loop-mounted ext4 here";
    EXPECT_FALSE(daemon_.start(arguments(disk.point(), "128MiB")));
    EXPECT_GT(daemon_.status(), 0);
    const std::string log = daemon_.log();
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    EXPECT_NE(log.find("No space left on device"), std::string::npos) << log;
}

// Goal: a disk that fills up later is no matter: the store is laid out at the start. Method: not a
// block of an ext4 is left when the first chunk goes out, and the chunks' extents are written in an
// order that splits what was reserved.
TEST_F(ShortageTest, ADiskThatFillsUpLaterIsNoMatter) {
    const LoopDisk disk(scratch_.path(), "256M");
    if (!disk.mounted()) GTEST_SKIP() << "no loop-mounted ext4 here";
    ASSERT_TRUE(daemon_.start(arguments(disk.point(), "128MiB"))) << daemon_.log();
    disk.fill_up();
    EXPECT_EQ(use_memory(), ended_well);
    EXPECT_EQ(right_, client_chunks * pages_per_chunk);
    EXPECT_EQ(refused_, 0u);
    daemon_.signal(SIGTERM);
    EXPECT_EQ(daemon_.wait(), 0);
    const auto report = daemon_.last_report();
    EXPECT_GT(report["store"]["bytes_written"], (client_chunks - budget_chunks) * 2 * MiB);
    EXPECT_EQ(report["store"]["failures"], 0);
    EXPECT_EQ(report["store"]["retries"], 0);
    EXPECT_EQ(report["total"]["write_failures"], 0);
}

// A memory cgroup of the first version, which goes with its owner.
class MemoryCgroup {
public:
    explicit MemoryCgroup(uint64_t limit_bytes)
        : path_("/sys/fs/cgroup/memory/ciuic-test-" + std::to_string(::getpid())) {
        made_ = ::mkdir(path_.c_str(), 0755) == 0;
        std::ofstream limit(path_ + "/memory.limit_in_bytes");
        limit << limit_bytes << std::flush;
        works_ = made_ && limit.good();
    }
    ~MemoryCgroup() {
        if (made_) (void)await([&] { return ::rmdir(path_.c_str()) == 0; });
    }
    MemoryCgroup(const MemoryCgroup&) = delete;
    MemoryCgroup& operator=(const MemoryCgroup&) = delete;
#ifdef CIUIC_SANITIZED
    bool works() const { return false; }
    static const char* why_not() { return "a sanitizer's own memory does not fit in such a limit"; }
#else
    bool works() const { return works_; }
    static const char* why_not() { return "no memory cgroup (version 1) can be made here"; }
#endif
    const std::string& path() const { return path_; }

private:
    std::string path_;
    bool made_ = false;
    bool works_ = false;
};

// What a daemon without clients and one client's tables take, and what the page cache of the store
// may have for a moment.
constexpr uint64_t beside_budget_bytes = 32 * MiB;

// Goal: the budget and a little more is all the memory that a daemon needs, whatever its clients
// have. Method: such a limit, and a client with three times the budget.
TEST_F(ShortageTest, RunsInItsBudgetAndALittleMore) {
    const MemoryCgroup cgroup(budget_chunks * 2 * MiB + beside_budget_bytes);
    if (!cgroup.works()) GTEST_SKIP() << cgroup.why_not();
    daemon_.set_cgroup(cgroup.path());
    ASSERT_TRUE(daemon_.start(arguments(scratch_.path(), "128MiB"))) << daemon_.log();
    EXPECT_EQ(use_memory(), ended_well);
    EXPECT_EQ(right_, client_chunks * pages_per_chunk);
    daemon_.signal(SIGTERM);
    EXPECT_EQ(daemon_.wait(), 0);
    EXPECT_GT(daemon_.last_report()["total"]["evictions"], client_chunks - budget_chunks);
}

// Goal: a limit below the budget costs no wrong byte: the kernel ends the daemon, and the client's
// touches fail. Method: half of the budget.
TEST_F(ShortageTest, ALimitBelowTheBudgetFailsLoudly) {
    const MemoryCgroup cgroup(budget_chunks * MiB);
    if (!cgroup.works()) GTEST_SKIP() << cgroup.why_not();
    daemon_.set_cgroup(cgroup.path());
    ASSERT_TRUE(daemon_.start(arguments(scratch_.path(), "128MiB"))) << daemon_.log();
    EXPECT_EQ(use_memory(), ended_well);
    if (daemon_.has_ended()) {
        EXPECT_EQ(daemon_.wait(), -SIGKILL);
        EXPECT_GT(refused_, 0u);
    }
    std::printf("under half of the budget: daemon %s, %llu pages right, %llu refused\n",
                daemon_.pid() == 0 ? "ended by the kernel" : "alive",
                static_cast<unsigned long long>(right_), static_cast<unsigned long long>(refused_));
}

}  // namespace
}  // namespace ciuic::test
