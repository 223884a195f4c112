// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/gather.hpp"

#include "base/unique_fd.hpp"
#include "base/units.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ciuic::cli::doctor {
namespace {

class GatherTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ciuic-doctor-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(root_); }
    void put(const std::string& path, const std::string& text) {
        const std::filesystem::path file = root_ + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    Files files() const { return Files(root_); }

    std::string root_;
};

// Goal: numbers are found where they stand, and only there. Method: texts of the kernel's manner.
TEST_F(GatherTest, ReadsNumbers) {
    const std::string info = "MemTotal:  100 kB\nHugePages_Total:   7\nHugePages_Free:\n";
    EXPECT_EQ(number_of(info, "MemTotal"), 100u);
    EXPECT_EQ(number_of(info, "HugePages_Total"), 7u);
    EXPECT_EQ(number_of(info, "HugePages_Free"), std::nullopt);
    EXPECT_EQ(number_of(info, "HugePages"), std::nullopt);
    EXPECT_EQ(number_of("", "MemTotal"), std::nullopt);
    put("/number", "4096\n");
    put("/word", "max\n");
    EXPECT_EQ(files().number("/number"), 4096u);
    EXPECT_EQ(files().number("/word"), std::nullopt);
    EXPECT_EQ(files().number("/none"), std::nullopt);
}

// Goal: free huge pages are those that nobody has been promised. Method: a meminfo.
TEST_F(GatherTest, CountsMemoryAndHugePages) {
    put("/proc/meminfo", "MemTotal:       2048 kB\nMemAvailable:   1024 kB\n"
                         "HugePages_Total:      10\nHugePages_Free:        6\n"
                         "HugePages_Rsvd:        2\nHugepagesize:       2048 kB\n");
    put("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
        "always within_size [advise] never deny force\n");
    const MemoryFacts facts = gather_memory(files());
    EXPECT_EQ(facts.total_bytes, 2 * MiB);
    EXPECT_EQ(facts.available_bytes, MiB);
    EXPECT_EQ(facts.huge_page_bytes, 2 * MiB);
    EXPECT_EQ(facts.huge_pages_total, 10u);
    EXPECT_EQ(facts.huge_pages_free, 4u);
    EXPECT_EQ(facts.shmem_huge, "advise");
    EXPECT_EQ(facts.limit_bytes, 0u);
}

// Goal: the tightest limit counts, wherever it is on the way up. Method: version 2 with the limit
// above the group, version 1 with one below a larger one, a container's root, and no limit.
TEST_F(GatherTest, FindsTheTightestLimit) {
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put("/sys/fs/cgroup/user.slice/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    EXPECT_EQ(gather_memory(files()).limit_bytes, GiB);
    EXPECT_EQ(gather_memory(files()).limit_file, "/sys/fs/cgroup/user.slice/memory.max");

    put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "536870912\n");
    put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/proc/self/cgroup", "8:pids:/\n4:cpu,memory:/a/b\n0::/\n");
    EXPECT_EQ(gather_memory(files()).limit_bytes, GiB / 2);
    put("/proc/self/cgroup", "4:memory:/\n");
    EXPECT_EQ(gather_memory(files()).limit_bytes, 0u);

    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "4194304\n");
    EXPECT_EQ(gather_memory(files()).limit_bytes, 4 * MiB);
}

// Goal: containers and Windows are told apart. Method: the marks that each leaves.
TEST_F(GatherTest, KnowsThePlace) {
    EXPECT_EQ(gather_place(files(), "6.18.5").container, "");
    EXPECT_FALSE(gather_place(files(), "6.18.5").is_wsl);
    EXPECT_TRUE(gather_place(files(), "6.6.87.2-microsoft-standard-WSL2").is_wsl);
    EXPECT_TRUE(gather_place(files(), "4.4.0-19041-Microsoft").is_wsl);
    put("/proc/1/cgroup", "0::/kubepods.slice/pod1\n");
    EXPECT_EQ(gather_place(files(), "").container, "kubernetes");
    put("/.dockerenv", "");
    EXPECT_EQ(gather_place(files(), "").container, "docker");
    put("/run/.containerenv", "");
    EXPECT_EQ(gather_place(files(), "").container, "podman");
    put("/run/systemd/container", "systemd-nspawn\n");
    EXPECT_EQ(gather_place(files(), "").container, "systemd-nspawn");
}

// Goal: the limits and settings are the kernel's own. Method: made-up files; this process's limits.
TEST_F(GatherTest, ReadsLimits) {
    EXPECT_EQ(gather_limits(files()).max_map_count, 0u);
    EXPECT_EQ(gather_io(files()).disabled_setting, -1);
    put("/proc/sys/vm/max_map_count", "1024\n");
    put("/proc/sys/kernel/io_uring_disabled", "1\n");
    EXPECT_EQ(gather_limits(files()).max_map_count, 1024u);
    EXPECT_GT(gather_limits(files()).nofile_hard, 0u);
    EXPECT_EQ(gather_io(files()).disabled_setting, 1);
}

// Goal: a place for the store is tried as the store would use it. Method: a directory, one that is
// not there, and a file.
TEST_F(GatherTest, TriesTheStore) {
    const StoreFacts facts = gather_store(root_);
    EXPECT_EQ(facts.error, 0);
    EXPECT_FALSE(facts.file_system.empty());
    EXPECT_GT(facts.free_bytes, 0u);
    EXPECT_EQ(gather_store(root_ + "/none").error, ENOENT);
    put("/file", "");
    EXPECT_EQ(gather_store(root_ + "/file").error, ENOTDIR);
    EXPECT_TRUE(std::filesystem::exists(root_ + "/file"));
}

// Goal: rates are measured within the file, and a file that cannot be written gives none. Method:
// the page cache, whose rate does not matter; a descriptor for reading.
TEST_F(GatherTest, MeasuresOnlyWhatItMayWrite) {
    put("/disk", "");
    const UniqueFd file(::open((root_ + "/disk").c_str(), O_RDWR | O_CLOEXEC));
    const DiskRate rate = measure_rate(file.get(), 4 * MiB);
    EXPECT_TRUE(rate.is_measured);
    EXPECT_GT(rate.write_mb_per_s, 0);
    EXPECT_GT(rate.read_mb_per_s, 0);
    EXPECT_GT(rate.read_64kib_us, 0);
    EXPECT_LE(std::filesystem::file_size(root_ + "/disk"), 4 * MiB);
    const UniqueFd read_only(::open((root_ + "/disk").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(measure_rate(read_only.get(), 4 * MiB).is_measured);
}

// Goal: no daemon is none, not a failure. Method: a socket that is not there, and a file in its
// place.
TEST_F(GatherTest, LooksForTheDaemon) {
    EXPECT_EQ(gather_daemon(root_ + "/s").state, DaemonFacts::State::none);
    EXPECT_EQ(gather_daemon(root_ + "/s").socket, root_ + "/s");
    put("/s", "");
    EXPECT_EQ(gather_daemon(root_ + "/s").state, DaemonFacts::State::none);
}

}  // namespace
}  // namespace ciuic::cli::doctor
