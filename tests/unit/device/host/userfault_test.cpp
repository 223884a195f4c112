// SPDX-License-Identifier: Apache-2.0
#include "device/host/userfault.hpp"

#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <thread>

namespace ciuic::test {
namespace {

constexpr uint64_t space_bytes = 2 * MiB;

bool kernel_is_at_least(int major, int minor) {
    utsname name{};
    int found_major = 0;
    int found_minor = 0;
    ::uname(&name);
    if (std::sscanf(name.release, "%d.%d", &found_major, &found_minor) != 2) return false;
    return std::pair(found_major, found_minor) >= std::pair(major, minor);
}

class UserfaultTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(HostRung::base); !refusal.empty())
            GTEST_SKIP() << refusal;
        file_ = UniqueFd(::memfd_create("space", MFD_CLOEXEC));
        ASSERT_EQ(::ftruncate(file_.get(), space_bytes), 0);
        client_ = std::make_unique<LocalClient>(file_.get(), space_bytes);
    }

    int uffd() const { return client_->uffd.get(); }
    uint64_t page(uint64_t index) const { return client_->base() + index * page_bytes_; }
    volatile std::byte& byte_of(uint64_t page) const {
        return *reinterpret_cast<volatile std::byte*>(this->page(page));
    }
    // Where the kernel cannot map write-protected, protection follows at once.
    Status map_read_only(uint64_t first, uint64_t pages) const {
        if (probe_host_features().continue_wp) return map(first, pages, false);
        CIUIC_TRY_STATUS(map(first, pages, true));
        return userfault::write_protect(uffd(), page(first), pages * page_bytes_, true);
    }
    Status map(uint64_t first, uint64_t pages, bool writable) const {
        return userfault::map_present(uffd(), page(first), pages * page_bytes_, page_bytes_,
                                      writable);
    }
    void fill_file() { ASSERT_EQ(::fallocate(file_.get(), 0, 0, space_bytes), 0); }

    const uint64_t page_bytes_ = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    UniqueFd file_;
    std::unique_ptr<LocalClient> client_;
};

// Goal: pages mapped before neither stop the rest of a range nor stay read-only when writing was
// asked for. Method: two read-only islands in a range of 16 pages, then all of it writable.
TEST_F(UserfaultTest, MapsAroundWhatIsMapped) {
    fill_file();
    ASSERT_TRUE(map_read_only(0, 1).has_value());
    ASSERT_TRUE(map_read_only(5, 3).has_value());
    ASSERT_TRUE(map(0, 16, true).has_value());
    for (uint64_t index = 0; index < 16; ++index) byte_of(index) = std::byte{1};
    std::array<uffd_msg, 1> messages;
    EXPECT_EQ(userfault::read_messages(uffd(), messages), 0u);
}

// Goal: a range whose last pages are not in the file is an error, and not one that reads as "try
// again" or "gone". Method: 4 pages allocated of 8.
TEST_F(UserfaultTest, AbsentPagesAreAnError) {
    ASSERT_EQ(::fallocate(file_.get(), 0, 0, static_cast<off_t>(4 * page_bytes_)), 0);
    const Status refused = map(0, 8, true);
    EXPECT_EQ(refused.error().code, Errc::io);
    EXPECT_EQ(refused.error().os_error, EFAULT);
}

// Goal: memory that is no longer there is a client that is gone. Method: every call after munmap.
TEST_F(UserfaultTest, UnmappedMemoryIsADisconnectedClient) {
    fill_file();
    const uint64_t address = client_->base();
    client_->space.reset();
    EXPECT_EQ(userfault::map_present(uffd(), address, page_bytes_, page_bytes_, true).error().code,
              Errc::disconnected);
    EXPECT_EQ(userfault::write_protect(uffd(), address, page_bytes_, true).error().code,
              Errc::disconnected);
    if (!probe_host_features().poison) return;
    EXPECT_EQ(userfault::poison(uffd(), address, page_bytes_, page_bytes_).error().code,
              Errc::disconnected);
}

// Goal: poison covers the whole range although a part is poisoned already. Method: one page, then
// all; write(2) reports the bad memory instead of a signal.
TEST_F(UserfaultTest, PoisonsAroundPoison) {
    if (const std::string refusal = userfault_refusal(HostRung::poisons); !refusal.empty())
        GTEST_SKIP() << refusal;
    ASSERT_TRUE(userfault::poison(uffd(), page(3), page_bytes_, page_bytes_).has_value());
    ASSERT_TRUE(userfault::poison(uffd(), client_->base(), space_bytes, page_bytes_).has_value());
    const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
    for (uint64_t index = 0; index < space_bytes / page_bytes_; ++index) {
        EXPECT_EQ(::write(sink.get(), reinterpret_cast<void*>(page(index)), 1), -1);
        EXPECT_EQ(errno, EFAULT);
    }
}

// Goal: a client that makes the common descriptor blocking cannot hold the pager. Method: do that,
// and read where there is nothing.
TEST_F(UserfaultTest, ReadsWithoutBlockingFromABlockingDescriptor) {
    if (!kernel_is_at_least(6, 10)) GTEST_SKIP() << "needs Linux 6.10";
    const int flags = ::fcntl(uffd(), F_GETFL);
    ASSERT_EQ(::fcntl(uffd(), F_SETFL, flags & ~O_NONBLOCK), 0);
    std::array<uffd_msg, 4> messages;
    EXPECT_EQ(userfault::read_messages(uffd(), messages), 0u);
}

}  // namespace
}  // namespace ciuic::test
