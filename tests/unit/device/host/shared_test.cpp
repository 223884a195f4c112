// SPDX-License-Identifier: Apache-2.0
#include "device/host/shared.hpp"

#include "base/clock.hpp"
#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <thread>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t chunk_bytes = 64 * KiB;
constexpr uint32_t chunks = 32;  // 2 MiB
constexpr uint32_t frames = 4;
constexpr int patience_ms = 20'000;

class SharedTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(HostRung::base); !refusal.empty())
            GTEST_SKIP() << refusal;
        create(FrameKind::memfd);
    }

    void create(FrameKind kind) {
        auto created = SharedHostDevice::create({.frames = frames,
                                                 .chunk_bytes = chunk_bytes,
                                                 .block_bytes = 4 * KiB,
                                                 .sessions = 3,
                                                 .kind = kind});
        ASSERT_TRUE(created.has_value()) << created.error().what;
        device_ = *std::move(created);
    }

    static ChunkRef ref(uint32_t session, uint32_t chunk) {
        return {SessionIndex{session}, ChunkIndex{chunk}};
    }

    LocalClient make_client(uint32_t session) {
        const Result<int> file = device_->make_space(SessionIndex{session}, chunks);
        EXPECT_TRUE(file.has_value());
        files_[session] = UniqueFd(::dup(*file));
        return LocalClient(*file, chunks * chunk_bytes);
    }

    LocalClient attached_client(uint32_t session) {
        LocalClient client = make_client(session);
        const Status attached =
            device_->attach(SessionIndex{session}, client.copy(), client.base());
        EXPECT_TRUE(attached.has_value()) << attached.error().what;
        return client;
    }

    uint64_t held_bytes(uint32_t session) const {
        struct stat status {};
        ::fstat(files_[session].get(), &status);
        return static_cast<uint64_t>(status.st_blocks) * 512;
    }

    // In a while: a thread does it.
    bool is_emptied(uint32_t session) const {
        MonotonicClock clock;
        for (const Nanos end = clock.now() + Nanos{int64_t{patience_ms} * 1'000'000};
             held_bytes(session) > 0;)
            if (clock.now() > end) return false;
        return true;
    }

    uint32_t next_breach() {
        const auto breach = device_->next_breach();
        return breach ? breach->session.value : none_index;
    }

    static bool wait_readable(int fd) {
        pollfd event{fd, POLLIN, 0};
        return ::poll(&event, 1, patience_ms) == 1;
    }

    // A thread that waits until the chunk is shown.
    struct Touch {
        ChunkRef chunk;
        std::thread thread;
    };
    static Touch touch(const LocalClient& client, ChunkRef chunk) {
        const std::byte* place = client.space.data() + chunk.chunk.value * chunk_bytes;
        return {chunk, std::thread([place] {
                    const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
                    EXPECT_EQ(::write(sink.get(), place, 1), 1);
                })};
    }

    void let_finish(Touch& touch) {
        EXPECT_TRUE(device_->open(touch.chunk, FrameIndex{0}).has_value());
        EXPECT_TRUE(device_->reveal(touch.chunk, FrameIndex{0}, 0, chunk_bytes, true).has_value());
        touch.thread.join();
        device_->close(touch.chunk, FrameIndex{0});
    }

    std::unique_ptr<SharedHostDevice> device_;
    std::array<UniqueFd, 3> files_;
};

// Goal: nothing that a client says at attach is believed. Method: descriptors of other kinds, bases
// that are misaligned, wrap around, or lead elsewhere; in the end the truth is accepted.
TEST_F(SharedTest, AttachChecksTheClient) {
    const LocalClient client = make_client(0);
    const auto refused = [&](UniqueFd uffd, uint64_t base) {
        const Status attached = device_->attach(SessionIndex{0}, std::move(uffd), base);
        return !attached.has_value() && attached.error().code == Errc::invalid;
    };
    EXPECT_TRUE(refused(UniqueFd(), client.base()));
    EXPECT_TRUE(refused(UniqueFd(::memfd_create("other", MFD_CLOEXEC)), client.base()));
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_TRUE(refused(UniqueFd(ends[0]), client.base()));
    EXPECT_TRUE(refused(UniqueFd(ends[1]), client.base()));
    EXPECT_TRUE(refused(client.copy(), client.base() + 4 * KiB));
    EXPECT_TRUE(refused(client.copy(), 0 - 2 * MiB));
    EXPECT_TRUE(refused(client.copy(), client.base() + 64 * GiB));
    EXPECT_TRUE(refused(client.copy(), client.base() - 2 * MiB));
    Result<UniqueFd> unused = open_userfault(-1);
    ASSERT_TRUE(unused.has_value());
    EXPECT_TRUE(refused(*std::move(unused), client.base()));
    const Result<Mapping> elsewhere = map_space(files_[0].get(), chunks * chunk_bytes);
    ASSERT_TRUE(elsewhere.has_value());
    EXPECT_TRUE(refused(client.copy(), reinterpret_cast<uint64_t>(elsewhere->data())));
    EXPECT_TRUE(device_->attach(SessionIndex{0}, client.copy(), client.base()).has_value());
}

// Goal: a client with many faults does not keep another one's waiting, however little room the
// engine has. Method: one client faults at every chunk, the other at one, before it and after it;
// with room for one event at a time, the other's is among the first two.
TEST_F(SharedTest, OneClientCannotStarveAnother) {
    const LocalClient loud = attached_client(0);
    const LocalClient quiet = attached_client(1);
    for (const bool quiet_first : {false, true}) {
        std::vector<Touch> touches;
        if (quiet_first) touches.push_back(touch(quiet, ref(1, 5)));
        EXPECT_TRUE(!quiet_first || wait_readable(quiet.uffd.get()));
        for (uint32_t chunk = 0; chunk < chunks; ++chunk)
            touches.push_back(touch(loud, ref(0, chunk)));
        EXPECT_TRUE(wait_readable(loud.uffd.get()));
        if (!quiet_first) touches.push_back(touch(quiet, ref(1, 5)));
        EXPECT_TRUE(wait_readable(quiet.uffd.get()));
        std::array<DeviceEvent, 2> events;
        EXPECT_EQ(device_->drain(std::span(events).first(1)), 1u);
        EXPECT_EQ(device_->drain(std::span(events).last(1)), 1u);
        EXPECT_NE(events[0].chunk.session, events[1].chunk.session);
        for (Touch& waiting : touches) let_finish(waiting);
        EXPECT_EQ(device_->drain(events), 0u);
    }
}

// Goal: a client that makes its descriptor blocking harms nobody. Method: that, and a fault of
// another client to be served after.
TEST_F(SharedTest, DrainSurvivesATamperedDescriptor) {
    const LocalClient tamperer = attached_client(0);
    const LocalClient other = attached_client(1);
    const int flags = ::fcntl(tamperer.uffd.get(), F_GETFL);
    ASSERT_EQ(::fcntl(tamperer.uffd.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
    Touch touched = touch(other, ref(1, 0));
    EXPECT_TRUE(wait_readable(other.uffd.get()));
    std::array<DeviceEvent, 4> events;
    EXPECT_EQ(device_->drain(events), 1u);
    EXPECT_EQ(events[0].chunk, ref(1, 0));
    let_finish(touched);
}

// Goal: a client that fills its file itself gets others a refusal and no crash, and its pages go
// with its session although it keeps the file. Method: a tmpfs of 4 frames, all taken by the
// client's own fallocate(2).
TEST_F(SharedTest, StolenMemoryIsARefusalAndComesBack) {
    const Result<FrameFiles> probe = FrameFiles::create(FrameKind::tmpfs, chunk_bytes, chunk_bytes);
    if (!probe.has_value()) GTEST_SKIP() << probe.error().what;
    create(FrameKind::tmpfs);
    const LocalClient thief = attached_client(0);
    const LocalClient other = attached_client(1);
    ASSERT_EQ(::fallocate(files_[0].get(), 0, 0, frames * chunk_bytes), 0);
    const Result<std::span<std::byte>> refused = device_->open(ref(1, 0), FrameIndex{0});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::no_memory);
    EXPECT_EQ(held_bytes(1), 0u);
    EXPECT_EQ(next_breach(), 0u);
    EXPECT_EQ(next_breach(), none_index);
    device_->detach(SessionIndex{0});
    EXPECT_TRUE(is_emptied(0));
    EXPECT_TRUE(device_->open(ref(1, 0), FrameIndex{0}).has_value());
    device_->close(ref(1, 0), FrameIndex{0});
}

// Goal: a client that truncates its file ends nobody but itself: the daemon's touch succeeds, its
// transfers fail, the breach is told once, and another session's bytes stay. Method: an open chunk
// of each of two sessions; one file is truncated; both chunks are read and written, through the
// mapping and by a system call; then everything is given back.
TEST_F(SharedTest, ATruncatedFileHarmsItsOwnSession) {
    const Result<FrameFiles> probe = FrameFiles::create(FrameKind::tmpfs, chunk_bytes, chunk_bytes);
    if (!probe.has_value()) GTEST_SKIP() << probe.error().what;
    create(FrameKind::tmpfs);
    const LocalClient hostile = attached_client(0);
    const LocalClient other = attached_client(1);
    const auto bytes = device_->open(ref(0, 3), FrameIndex{0});
    const auto others = device_->open(ref(1, 3), FrameIndex{1});
    ASSERT_TRUE(bytes.has_value() && others.has_value());
    std::fill(bytes->begin(), bytes->end(), std::byte{7});
    std::fill(others->begin(), others->end(), std::byte{9});
    EXPECT_EQ(next_breach(), none_index);

    ASSERT_EQ(::ftruncate(files_[0].get(), 0), 0);
    const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
    EXPECT_EQ(::write(sink.get(), bytes->data(), 1), -1);
    EXPECT_EQ(errno, EFAULT);
    std::thread worker([&] { EXPECT_EQ((*bytes)[chunk_bytes - 1], std::byte{0}); });
    worker.join();
    (*bytes)[0] = std::byte{1};
    EXPECT_EQ(next_breach(), 0u);
    EXPECT_EQ(next_breach(), none_index);
    EXPECT_FALSE(device_->reveal(ref(0, 3), FrameIndex{0}, 0, chunk_bytes, true).has_value());
    EXPECT_FALSE(device_->open(ref(0, 4), FrameIndex{2}).has_value());
    EXPECT_EQ(next_breach(), none_index);
    EXPECT_EQ((*others)[chunk_bytes - 1], std::byte{9});
    EXPECT_TRUE(device_->reveal(ref(1, 3), FrameIndex{1}, 0, chunk_bytes, true).has_value());
    EXPECT_EQ(other.space.data()[3 * chunk_bytes], std::byte{9});
    device_->close(ref(0, 3), FrameIndex{0});
    device_->close(ref(1, 3), FrameIndex{1});
    device_->detach(SessionIndex{0});
    EXPECT_TRUE(is_emptied(0));
}

// Goal: a change of size is found out although no touch failed. Method: a file that is made longer,
// one that is cut where nothing is, and one that is cut and made whole again after a page of it was
// shown.
TEST_F(SharedTest, AChangedSizeIsABreach) {
    const Result<FrameFiles> probe = FrameFiles::create(FrameKind::tmpfs, chunk_bytes, chunk_bytes);
    if (!probe.has_value()) GTEST_SKIP() << probe.error().what;
    create(FrameKind::tmpfs);
    const LocalClient longer = attached_client(0);
    const LocalClient shorter = attached_client(1);
    const LocalClient mended = attached_client(2);
    ASSERT_TRUE(device_->open(ref(2, 0), FrameIndex{2}).has_value());
    ASSERT_EQ(::ftruncate(files_[0].get(), (chunks + 1) * chunk_bytes), 0);
    ASSERT_EQ(::ftruncate(files_[1].get(), chunk_bytes), 0);
    ASSERT_EQ(::ftruncate(files_[2].get(), 0), 0);
    ASSERT_EQ(::ftruncate(files_[2].get(), chunks * chunk_bytes), 0);
    EXPECT_FALSE(device_->open(ref(0, 0), FrameIndex{0}).has_value());
    EXPECT_EQ(next_breach(), 0u);
    EXPECT_FALSE(device_->open(ref(1, 0), FrameIndex{0}).has_value());
    EXPECT_EQ(next_breach(), 1u);
    EXPECT_EQ(device_->reveal(ref(2, 0), FrameIndex{2}, 0, chunk_bytes, true).error().os_error,
              EFAULT);
    EXPECT_EQ(next_breach(), 2u);
    device_->close(ref(2, 0), FrameIndex{2});
}

// Goal: after a client has died its chunks can still be taken back, and showing them says that it
// is gone. Method: a child that attaches and is killed.
TEST_F(SharedTest, ADeadClientIsDisconnected) {
    const Result<int> file = device_->make_space(SessionIndex{0}, chunks);
    ASSERT_TRUE(file.has_value());
    files_[0] = UniqueFd(::dup(*file));
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    struct Report {
        pid_t pid;
        int uffd;
        uint64_t base;
    };
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const LocalClient own(*file, chunks * chunk_bytes);
        const Report report{::getpid(), own.uffd.get(), own.base()};
        (void)!::write(writer.get(), &report, sizeof report);
        ::pause();
        ::_exit(0);
    }
    Report report{};
    ASSERT_EQ(::read(reader.get(), &report, sizeof report), static_cast<ssize_t>(sizeof report));
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, report.pid, 0));
    const UniqueFd process(pidfd);
    UniqueFd uffd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, report.uffd, 0)));
    if (!uffd) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        GTEST_SKIP() << "no permission to take a descriptor of another process";
    }
    ASSERT_TRUE(device_->attach(SessionIndex{0}, std::move(uffd), report.base).has_value());
    ASSERT_TRUE(device_->open(ref(0, 1), FrameIndex{0}).has_value());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Status revealed = device_->reveal(ref(0, 1), FrameIndex{0}, 0, chunk_bytes, true);
    EXPECT_EQ(revealed.error().code, Errc::disconnected);
    device_->close(ref(0, 1), FrameIndex{0});
    EXPECT_EQ(held_bytes(0), 0u);
    device_->detach(SessionIndex{0});
    EXPECT_TRUE(device_->make_space(SessionIndex{0}, chunks).has_value());
}

// Goal: a mix-up of the engine stops the program before it costs data. Method: one frame for two
// chunks; a frame used for another chunk than its own.
TEST_F(SharedTest, FrameGivenTwiceIsABug) {
    const LocalClient client = attached_client(0);
    ASSERT_TRUE(device_->open(ref(0, 0), FrameIndex{0}).has_value());
    EXPECT_DEATH((void)device_->open(ref(0, 1), FrameIndex{0}), "broken invariant");
    EXPECT_DEATH(device_->close(ref(0, 1), FrameIndex{0}), "broken invariant");
    EXPECT_DEATH(device_->detach(SessionIndex{0}), "broken invariant");
    device_->close(ref(0, 0), FrameIndex{0});
}

// Goal: sizes that make no sense are refused. Method: zero, odd, and a block larger than a chunk.
TEST_F(SharedTest, RefusesSenselessOptions) {
    const SharedHostOptions good{.frames = 1,
                                 .chunk_bytes = chunk_bytes,
                                 .block_bytes = 4 * KiB,
                                 .sessions = 1,
                                 .kind = FrameKind::memfd};
    ASSERT_TRUE(SharedHostDevice::create(good).has_value());
    std::array<SharedHostOptions, 5> bad;
    bad.fill(good);
    bad[0].frames = 0;
    bad[1].chunk_bytes = chunk_bytes + 4 * KiB;
    bad[2].block_bytes = 2 * chunk_bytes;
    bad[3].block_bytes = 512;
    bad[4].sessions = 0;
    for (const SharedHostOptions& options : bad)
        EXPECT_EQ(SharedHostDevice::create(options).error().code, Errc::invalid);
}

}  // namespace
}  // namespace ciuic::test
