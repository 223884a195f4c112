// SPDX-License-Identifier: Apache-2.0
#include "store/swap_file.hpp"

#include "base/mapping.hpp"
#include "base/units.hpp"
#include "io/threads.hpp"
#include "limits.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

namespace ciuic {
namespace {

// Time passes with every look at the clock, so a wait for a deadline is over after a few looks.
class SteppingClock final : public Clock {
public:
    Nanos now() override {
        if (on_look) on_look(++looks_);
        now_ = now_ + Nanos{1'000'000'000};
        return now_;
    }
    std::function<void(int)> on_look;

private:
    Nanos now_{};
    int looks_ = 0;
};

constexpr Nanos three_looks{3'000'000'000};
constexpr Nanos for_ever{int64_t{1} << 62};

class SwapFileTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ciuic-swap-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    SwapFileOptions options(const std::string& path, uint64_t size_bytes = 1 * MiB) const {
        return {.path = path, .size_bytes = size_bytes, .fence_deadline = three_looks};
    }
    std::string named() const { return directory + "/swap"; }

    static struct stat stat_of(const UniqueFd& fd) {
        struct stat status {};
        EXPECT_EQ(::fstat(fd.get(), &status), 0);
        return status;
    }
    Errc refusal(const std::string& path, uint64_t size_bytes = 1 * MiB) {
        const auto file = open_swap_file(options(path, size_bytes), clock);
        if (file.has_value()) return Errc::ok;
        EXPECT_STRNE(file.error().what, "");
        return file.error().code;
    }

    std::string directory;
    SteppingClock clock;
};

void expect_ready_for_io(const SwapFile& file, uint64_t size_bytes) {
    struct stat status {};
    ASSERT_EQ(::fstat(file.io.get(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    EXPECT_EQ(static_cast<uint64_t>(status.st_size), size_bytes);
    EXPECT_GE(static_cast<uint64_t>(status.st_blocks) * 512, size_bytes) << "not preallocated";
    const int flags = ::fcntl(file.io.get(), F_GETFL);
    EXPECT_EQ((flags & O_DIRECT) != 0, file.direct);
    EXPECT_EQ(flags & O_ACCMODE, O_RDWR);
    EXPECT_EQ(::fcntl(file.io.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(file.anchor.get(), F_GETFD), FD_CLOEXEC);

    auto buffer = *Mapping::create(8 * KiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    const std::span<std::byte> first = buffer.bytes().first(4 * KiB);
    const std::span<std::byte> second = buffer.bytes().subspan(4 * KiB);
    std::fill(first.begin(), first.end(), std::byte{7});
    const auto last = static_cast<off_t>(size_bytes - 4 * KiB);
    ASSERT_EQ(::pwrite(file.io.get(), first.data(), first.size(), last), 4 * int64_t{KiB});
    ASSERT_EQ(::pread(file.io.get(), second.data(), second.size(), last), 4 * int64_t{KiB});
    EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin()));
}

// Goal: a directory gives a private file that leaves nothing behind. Method: its size, mode, room
// and descriptors; no name, before and after; no way to give it one.
TEST_F(SwapFileTest, DirectoryGivesAnUnnamedFile) {
    const auto file = open_swap_file(options(directory), clock);
    ASSERT_TRUE(file.has_value()) << file.error().what << ": "
                                  << std::strerror(file.error().os_error);
    expect_ready_for_io(*file, 1 * MiB);
    EXPECT_EQ(stat_of(file->io).st_nlink, 0u);
    EXPECT_EQ(stat_of(file->io).st_ino, stat_of(file->anchor).st_ino);
    EXPECT_TRUE(std::filesystem::is_empty(directory));
    const std::string by_number = "/proc/self/fd/" + std::to_string(file->anchor.get());
    EXPECT_NE(::linkat(AT_FDCWD, by_number.c_str(), AT_FDCWD, named().c_str(), AT_SYMLINK_FOLLOW),
              0);
}

// Goal: a named file is made if need be, used if it is there, brought to size and mode either way,
// and kept. Method: new; then with another mode, smaller and larger.
TEST_F(SwapFileTest, NamedFileIsBroughtToSizeAndKept) {
    for (const uint64_t size_bytes : {1 * MiB, 2 * MiB, 512 * KiB}) {
        const auto file = open_swap_file(options(named(), size_bytes), clock);
        ASSERT_TRUE(file.has_value()) << file.error().what;
        expect_ready_for_io(*file, size_bytes);
        ASSERT_EQ(::chmod(named().c_str(), 0644), 0);
    }
    EXPECT_TRUE(std::filesystem::exists(named()));
}

// Goal: a daemon with rights is never led to fill, or wait on, something that is not its file.
// Method: a link to a precious file, a FIFO, a device, a missing folder.
TEST_F(SwapFileTest, RefusesWhatIsNotAFile) {
    std::ofstream(directory + "/target") << "precious";
    ASSERT_EQ(::symlink("target", (directory + "/link").c_str()), 0);
    ASSERT_EQ(::mkfifo((directory + "/fifo").c_str(), 0600), 0);
    EXPECT_EQ(refusal(directory + "/link"), Errc::invalid);
    EXPECT_EQ(std::filesystem::file_size(directory + "/target"), 8u);
    EXPECT_EQ(refusal(directory + "/fifo"), Errc::invalid);
    EXPECT_EQ(refusal("/dev/null"), Errc::invalid);
    EXPECT_EQ(refusal(directory + "/no/such/file"), Errc::invalid);
}

// Goal: the size is a promise. Method: sizes that are none, and one for which there is no room: a
// file system in memory refuses more than it has without trying.
TEST_F(SwapFileTest, RefusesSizesItCannotPromise) {
    EXPECT_EQ(refusal(directory, 0), Errc::invalid);
    EXPECT_EQ(refusal(directory, 1 * MiB + 512), Errc::invalid);
    EXPECT_EQ(refusal(directory, limits::store_bytes_max + 4 * KiB), Errc::invalid);
    if (::access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "/dev/shm cannot be written to";
    EXPECT_EQ(refusal("/dev/shm", limits::store_bytes_max / 2), Errc::no_memory);
}

// Goal: a file of somebody else's is never filled. Method: give one away, which only root can.
TEST_F(SwapFileTest, RefusesAnothersFile) {
    std::ofstream(named()) << "theirs";
    if (::chown(named().c_str(), 12345, 12345) != 0)
        GTEST_SKIP() << "needs root to give a file away";
    EXPECT_EQ(refusal(named()), Errc::permission);
    EXPECT_EQ(std::filesystem::file_size(named()), 6u);
}

// Goal: two daemons never share a file: the second is told, and what the first has is untouched.
// Method: a second open with another size while the first lives, then after it.
TEST_F(SwapFileTest, SecondDaemonIsRefused) {
    auto first = open_swap_file(options(named(), 1 * MiB), clock);
    ASSERT_TRUE(first.has_value());
    const auto second = open_swap_file(options(named(), 512 * KiB), clock);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::busy);
    EXPECT_NE(std::string(second.error().what).find("another process"), std::string::npos);
    EXPECT_EQ(stat_of(first->io).st_size, 1 * int64_t{MiB});

    first->claim.reset();
    const auto third = open_swap_file(options(named(), 512 * KiB), clock);
    EXPECT_EQ(third.error().code, Errc::timed_out);
    first->io.reset();  // the anchor alone holds nobody up
    EXPECT_EQ(refusal(named(), 512 * KiB), Errc::ok);
}

// Goal: the next incarnation waits for a dead one's lock, not longer. Method: a child takes the
// fence of the same inode and is killed while we wait; our clock kills it at the third look.
TEST_F(SwapFileTest, FenceOpensWhenTheHolderDies) {
    auto file = open_swap_file(options(directory), clock);
    ASSERT_TRUE(file.has_value());
    file->io.reset();
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd from_child(ends[0]);
    UniqueFd to_parent(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        SteppingClock own;
        bool direct = false;
        const auto fence = open_fenced(file->anchor.get(), three_looks, own, direct);
        const char locked = fence.has_value() ? 'y' : 'n';
        (void)!::write(to_parent.get(), &locked, 1);
        for (;;) ::pause();
    }
    to_parent.reset();
    char locked = 'n';
    ASSERT_EQ(::read(from_child.get(), &locked, 1), 1);
    ASSERT_EQ(locked, 'y');

    bool direct = false;
    EXPECT_EQ(open_fenced(file->anchor.get(), three_looks, clock, direct).error().code,
              Errc::timed_out);
    SteppingClock killing;
    killing.on_look = [child](int look) {
        if (look == 3) ::kill(child, SIGKILL);
    };
    const auto fence = open_fenced(file->anchor.get(), for_ever, killing, direct);
    EXPECT_TRUE(fence.has_value());
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
}

// A page whose first touch waits until supply(): a write from it stays in flight that long.
class SlowPage {
public:
    SlowPage() {
        fault_ = UniqueFd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
        if (!fault_) return;
        uffdio_api api{.api = UFFD_API, .features = 0, .ioctls = 0};
        page_ = *Mapping::create(page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        uffdio_register range{};
        range.range = {reinterpret_cast<uintptr_t>(page_.data()), page_bytes};
        range.mode = UFFDIO_REGISTER_MODE_MISSING;
        works_ = ::ioctl(fault_.get(), UFFDIO_API, &api) == 0 &&
                 ::ioctl(fault_.get(), UFFDIO_REGISTER, &range) == 0;
    }
    bool works() const { return works_; }
    std::byte* data() const { return page_.data(); }
    void wait_for_touch() {
        pollfd event{fault_.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&event, 1, -1), 1);
        ASSERT_EQ(event.revents, POLLIN);
    }
    void supply() {
        if (std::exchange(supplied_, true)) return;
        uffdio_zeropage zero{};
        zero.range = {reinterpret_cast<uintptr_t>(page_.data()), page_bytes};
        ASSERT_EQ(::ioctl(fault_.get(), UFFDIO_ZEROPAGE, &zero), 0);
    }
    static constexpr uint64_t page_bytes = 4 * KiB;

private:
    UniqueFd fault_;
    Mapping page_;
    bool works_ = false;
    bool supplied_ = false;
};

// Goal: the fence holds while a request of the earlier incarnation is in flight, even though its
// descriptor is closed. Method: a write from a page that is not there yet; close the descriptor;
// the fence must not open until the page is supplied and the write has ended.
TEST_F(SwapFileTest, FenceWaitsForIoInFlight) {
    SlowPage page;
    if (!page.works()) GTEST_SKIP() << "userfaultfd with kernel faults is refused here";
    auto file = open_swap_file(options(directory), clock);
    ASSERT_TRUE(file.has_value());
    auto io = *ThreadIo::create(file->io.get(), 1);
    ASSERT_TRUE(io->submit({.op = IoOp::write,
                            .offset_bytes = 0,
                            .data = page.data(),
                            .length_bytes = SlowPage::page_bytes,
                            .token = 1}));
    page.wait_for_touch();
    // What a death does to it. As a bare system call, since in a living program it would be a race,
    // and ThreadSanitizer rightly says so.
    ASSERT_EQ(::syscall(SYS_close, file->io.release()), 0);
    bool direct = false;
    const auto early = open_fenced(file->anchor.get(), three_looks, clock, direct);
    EXPECT_FALSE(early.has_value()) << "the fence opened while the write was in flight";

    SteppingClock supplying;
    supplying.on_look = [&](int look) {
        if (look == 3) page.supply();
    };
    EXPECT_TRUE(open_fenced(file->anchor.get(), for_ever, supplying, direct).has_value());
    page.supply();  // where a failure above has not: the end of `io` waits for the write
}

}  // namespace
}  // namespace ciuic
