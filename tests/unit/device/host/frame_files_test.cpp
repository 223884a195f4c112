// SPDX-License-Identifier: Apache-2.0
#include "device/host/frame_files.hpp"

#include "base/mapping.hpp"
#include "base/units.hpp"
#include "tests/support/huge_pages.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace ciuic::test {
namespace {

constexpr uint64_t chunk_bytes = 2 * MiB;

// The kernel's counts of huge pages, all users together.
struct Pool {
    uint64_t free = 0;
    uint64_t reserved = 0;
};

Pool huge_page_pool() {
    std::ifstream meminfo("/proc/meminfo");
    std::string word;
    Pool pool;
    while (meminfo >> word) {
        if (word == "HugePages_Free:") meminfo >> pool.free;
        if (word == "HugePages_Rsvd:") meminfo >> pool.reserved;
    }
    return pool;
}

// Goal: hugetlb is taken only if the whole budget can be reserved, and the reservation is real.
// Method: a budget of all pages that nobody has reserved, then one page more; the kernel's counts.
TEST(FrameFilesTest, HugetlbReservesTheWholeBudgetOrRefuses) {
    const HugePages raised(4);
    if (!raised.refusal().empty()) GTEST_SKIP() << raised.refusal();
    const Pool before = huge_page_pool();
    const uint64_t budget_bytes = (before.free - before.reserved) * chunk_bytes;
    {
        const Result<FrameFiles> files =
            FrameFiles::create(FrameKind::hugetlb, budget_bytes, chunk_bytes);
        if (!files.has_value() && files.error().code == Errc::permission)
            GTEST_SKIP() << "no permission to mount";
        ASSERT_TRUE(files.has_value()) << files.error().what;
        EXPECT_EQ(huge_page_pool().reserved, before.free);
        EXPECT_EQ(files->page_bytes(), 2 * MiB);
        const Result<FrameFiles> more =
            FrameFiles::create(FrameKind::hugetlb, chunk_bytes, chunk_bytes);
        ASSERT_FALSE(more.has_value());
        EXPECT_EQ(more.error().code, Errc::no_memory);
    }
    EXPECT_EQ(huge_page_pool().reserved, before.reserved);
    const Result<FrameFiles> first =
        FrameFiles::create(FrameKind::automatic, budget_bytes, chunk_bytes);
    const Result<FrameFiles> second =
        FrameFiles::create(FrameKind::automatic, budget_bytes, chunk_bytes);
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_EQ(first->kind(), FrameKind::hugetlb);
    EXPECT_NE(second->kind(), FrameKind::hugetlb);
}

// Goal: huge pages are not promised where they cannot be. Method: chunks of 64 KiB.
TEST(FrameFilesTest, SmallChunksGetSmallPages) {
    const Result<FrameFiles> hugetlb = FrameFiles::create(FrameKind::hugetlb, MiB, 64 * KiB);
    EXPECT_EQ(hugetlb.error().code, Errc::unsupported);
    const Result<FrameFiles> automatic = FrameFiles::create(FrameKind::automatic, MiB, 64 * KiB);
    ASSERT_TRUE(automatic.has_value());
    EXPECT_STREQ(automatic->name(), "memfd-4k");
}

// Goal: the budget of a tmpfs is its size, for all files together, and what is punched is back.
// Method: two files that fill it, one page more, punch, again.
TEST(FrameFilesTest, TmpfsKeepsToItsBudget) {
    const Result<FrameFiles> files =
        FrameFiles::create(FrameKind::tmpfs, 2 * chunk_bytes, chunk_bytes);
    if (!files.has_value()) GTEST_SKIP() << files.error().what;
    const Result<UniqueFd> first = files->make_file(4 * chunk_bytes);
    const Result<UniqueFd> second = files->make_file(4 * chunk_bytes);
    ASSERT_TRUE(first.has_value() && second.has_value());
    ASSERT_EQ(::fallocate(first->get(), 0, chunk_bytes, chunk_bytes), 0);
    ASSERT_EQ(::fallocate(second->get(), 0, 0, chunk_bytes), 0);
    EXPECT_EQ(::fallocate(second->get(), 0, 2 * chunk_bytes, chunk_bytes), -1);
    EXPECT_EQ(errno, ENOSPC);
    ASSERT_EQ(::fallocate(first->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, chunk_bytes,
                          chunk_bytes),
              0);
    EXPECT_EQ(::fallocate(second->get(), 0, 2 * chunk_bytes, chunk_bytes), 0);
}

// Goal: a client cannot truncate a sealed file, nor give any file a name. Method: ftruncate(2) and
// linkat(2) on a file of each kind.
TEST(FrameFilesTest, FilesAreSealedAndNameless) {
    for (const FrameKind kind : {FrameKind::memfd, FrameKind::tmpfs}) {
        const Result<FrameFiles> files = FrameFiles::create(kind, chunk_bytes, chunk_bytes);
        if (!files.has_value()) continue;
        const Result<UniqueFd> file = files->make_file(4 * chunk_bytes);
        ASSERT_TRUE(file.has_value());
        struct stat status {};
        ASSERT_EQ(::fstat(file->get(), &status), 0);
        EXPECT_EQ(status.st_size, static_cast<off_t>(4 * chunk_bytes));
        EXPECT_EQ(status.st_mode & 0777, 0600u);
        EXPECT_EQ(status.st_nlink, 0u);
        EXPECT_NE(::linkat(file->get(), "", AT_FDCWD, "named", AT_EMPTY_PATH), 0);
        EXPECT_EQ(files->sealed(), kind == FrameKind::memfd);
        EXPECT_EQ(::ftruncate(file->get(), 0), files->sealed() ? -1 : 0);
    }
}

// Goal: "tmpfs-huge" is said only of pages that are huge. Method: the kernel's page map of a chunk.
TEST(FrameFilesTest, TmpfsHugeIsHuge) {
    const Result<FrameFiles> files = FrameFiles::create(FrameKind::tmpfs, chunk_bytes, chunk_bytes);
    if (!files.has_value()) GTEST_SKIP() << files.error().what;
    if (files->name() != std::string("tmpfs-huge")) GTEST_SKIP() << "no huge pages in tmpfs here";
    const Result<UniqueFd> file = files->make_file(chunk_bytes);
    ASSERT_TRUE(file.has_value());
    ASSERT_EQ(::fallocate(file->get(), 0, 0, chunk_bytes), 0);
    const Result<Mapping> mapping = Mapping::create_aligned(
        chunk_bytes, chunk_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->get());
    ASSERT_TRUE(mapping.has_value());
    mapping->data()[0] = std::byte{1};
    // One touch makes the whole chunk present: it is one page.
    const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    const uint64_t first_page = reinterpret_cast<uint64_t>(mapping->data()) / page_bytes;
    const UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    for (uint64_t page = 0; page < chunk_bytes / page_bytes; ++page) {
        uint64_t entry = 0;
        const auto place = static_cast<off_t>((first_page + page) * sizeof entry);
        ASSERT_EQ(::pread(pagemap.get(), &entry, sizeof entry, place), 8);
        ASSERT_TRUE(entry >> 63) << "page " << page;
    }
}

}  // namespace
}  // namespace ciuic::test
