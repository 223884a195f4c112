// SPDX-License-Identifier: Apache-2.0
//
// The child's half of reading a parent's memory. The test is the daemon; a forked child does what a
// forked child does, with a stand-in for the device.
#include "client/inherited.hpp"

#include "base/clock.hpp"
#include "base/mapping.hpp"
#include "base/units.hpp"
#include "protocol/socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ciuic {
namespace {

constexpr Nanos patience{20'000'000'000};
constexpr uint64_t space_bytes = 2 * MiB;

Result<UniqueFd> map(int file, std::span<std::byte> space, int) {
    if (::mmap(space.data(), space.size(), PROT_NONE, MAP_SHARED | MAP_FIXED, file, 0) ==
        MAP_FAILED)
        return os_refusal("mmap", errno);
    return UniqueFd(::eventfd(0, EFD_CLOEXEC));
}

void close(int uffd, std::span<std::byte> range) {
    // Descriptors of the thread's own: the pager's is still there.
    if (::fcntl(uffd, F_GETFD) < 0) ::_exit(90);
    ::mprotect(range.data(), range.size(), PROT_NONE);
}

// Whether the first byte can be read, and is this one.
bool reads(const Mapping& space, char value) {
    const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
    char got = 0;
    return ::write(sink.get(), space.data(), 1) == 1 && ::pread(sink.get(), &got, 1, 0) == 1 &&
           got == value;
}

bool stops_reading(const Mapping& space) {
    MonotonicClock clock;
    const Nanos end = clock.now() + patience;
    while (clock.now() < end) {
        if (!reads(space, 'p')) return true;
        ::sched_yield();
    }
    return false;
}

struct Inherited : testing::Test {
    Mapping space;
    UniqueFd file{::memfd_create("space", MFD_CLOEXEC)};
    std::array<UniqueFd, 2> connection = *socket_pair();
    UniqueFd have_read{::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};  // so many processes

    void SetUp() override {
        ASSERT_EQ(::ftruncate(file.get(), space_bytes), 0);
        ASSERT_EQ(::pwrite(file.get(), "p", 1, 0), 1);
        space =
            *Mapping::create_aligned(space_bytes, 2 * MiB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
    }
    // In a child: what the parent had.
    inherited::Parent parent() {
        return {std::move(connection[1]), UniqueFd(::dup(file.get())), UniqueFd()};
    }
    // Takes an Attach and answers it; the daemon's end of the child's connection.
    UniqueFd serve(int socket, Errc status) const {
        wire::Attach attach;
        ReceivedFds fds;
        EXPECT_TRUE(receive_message(socket, attach, fds, patience).has_value());
        EXPECT_EQ(fds.count, wire::attach_fds);
        EXPECT_EQ(attach.base_address, reinterpret_cast<uint64_t>(space.data()));
        wire::Started started;
        started.status = static_cast<uint32_t>(status);
        EXPECT_TRUE(send_message(fds.fds[0].get(), started, {}, patience).has_value());
        return std::move(fds.fds[0]);
    }
    void tell() const {
        const uint64_t one = 1;
        (void)!::write(have_read.get(), &one, sizeof one);
    }
    template <typename Act> static pid_t in_child(Act act) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(act());
        return child;
    }
    static int result_of(pid_t child) {
        int status = -1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
};

// Goal: a child reads until the daemon hangs up, also when it has closed all it knew of, and so
// does its own child by the child's connection. Method: both, and then two hang-ups.
TEST_F(Inherited, ReadsUntilTheConnectionEnds) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer ends a forked child that starts a thread";
#endif
    const pid_t child = in_child([&] {
        inherited::add(parent(), space.bytes(), {map, close});
        if (!reads(space, 'p')) return 1;
        tell();
        const pid_t grandchild = in_child([&] {
            // What the fork guard does; here nobody has a session.
            if (!reads(space, 'p')) return 2;
            tell();
            return stops_reading(space) ? 0 : 3;
        });
        for (int fd = 3; fd < 256; ++fd) ::close(fd);
        if (!stops_reading(space)) return 4;
        return result_of(grandchild);
    });
    connection[1].reset();
    UniqueFd first = serve(connection[0].get(), Errc::ok);
    UniqueFd second = serve(first.get(), Errc::ok);
    for (int process = 0; process < 2; ++process) {
        pollfd entry{have_read.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&entry, 1, 20'000), 1);
        uint64_t one = 0;
        ASSERT_EQ(::read(have_read.get(), &one, sizeof one), 8);
    }
    second.reset();
    first.reset();
    EXPECT_EQ(result_of(child), 0);
}

// Goal: without an answer, or with a refusal, the place cannot be touched and nothing else of the
// child suffers. Method: a daemon that refuses, one that is gone.
TEST_F(Inherited, CannotBeTouchedWhereItIsRefused) {
    const auto act = [&] {
        inherited::add(parent(), space.bytes(), {map, close});
        return reads(space, 'p') ? 1 : 0;
    };
    pid_t child = in_child(act);
    serve(connection[0].get(), Errc::busy);
    EXPECT_EQ(result_of(child), 0);
    connection[0].reset();
    child = in_child(act);
    EXPECT_EQ(result_of(child), 0);
}

}  // namespace
}  // namespace ciuic
