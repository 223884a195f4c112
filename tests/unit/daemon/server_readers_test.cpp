// SPDX-License-Identifier: Apache-2.0
#include "daemon/reader.hpp"
#include "tests/unit/daemon/server_fixture.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace ciuic::testing_server {
namespace {

constexpr Nanos plenty{5'000'000'000};

class ServerReadersTest : public ServerTest {
protected:
    // What a child does with the connection `parent`. The connection that it keeps.
    static UniqueFd attach(int parent, uint64_t base_address = 4 * chunk_bytes) {
        auto pair = *socket_pair();
        const UniqueFd stand_in(::eventfd(0, EFD_CLOEXEC));
        const int fds[] = {pair[1].get(), stand_in.get()};
        EXPECT_TRUE(
            send_message(parent, wire::Attach{.base_address = base_address}, fds, Nanos{0}));
        return std::move(pair[0]);
    }
    // The answer; timed_out: there is none.
    static Errc answer(const UniqueFd& reader) {
        wire::Started started;
        ReceivedFds none;
        const Status received = receive_message(reader.get(), started, none, Nanos{0});
        if (!received) return received.error().code;
        return static_cast<Errc>(started.status);
    }
    uint64_t readers() const { return server_->counts().readers; }
    uint64_t refused() const { return server_->counts().readers_refused; }
};

// Goal: a child is taken in by its parent's connection, its own child by its own, and both are told
// of the session's end. Method: that.
TEST_F(ServerReadersTest, ChildrenAndTheirChildren) {
    Client parent = running_client();
    const UniqueFd child = attach(parent.socket.get());
    turns();
    EXPECT_EQ(answer(child), Errc::ok);
    const UniqueFd grandchild = attach(child.get());
    turns();
    EXPECT_EQ(answer(grandchild), Errc::ok);
    EXPECT_EQ(readers(), 2u);
    EXPECT_EQ(spaces_.readers_added, 2u);
    EXPECT_FALSE(is_hung_up(child.get()));
    parent.socket.reset();
    turns();
    EXPECT_TRUE(is_hung_up(child.get()));
    EXPECT_TRUE(is_hung_up(grandchild.get()));
    EXPECT_EQ(spaces_.readers_removed, 0u);  // the device forgets them with the session
    EXPECT_EQ(server_->counts().violations, 0u);
}

// Goal: what a child sends is not believed; its parent does not suffer. Method: an Attach without a
// socket, with too few descriptors, with an address that is refused.
TEST_F(ServerReadersTest, BadAttachesAreRefused) {
    const Client parent = running_client();
    const int file = STDIN_FILENO;
    const int files[] = {file, file};
    ASSERT_TRUE(send_message(parent.socket.get(), wire::Attach{}, {}, Nanos{0}));
    ASSERT_TRUE(send_message(parent.socket.get(), wire::Attach{}, std::span(&file, 1), Nanos{0}));
    ASSERT_TRUE(send_message(parent.socket.get(), wire::Attach{}, files, Nanos{0}));
    const UniqueFd misaligned = attach(parent.socket.get(), 1);
    turns(16);
    EXPECT_EQ(answer(misaligned), Errc::invalid);
    EXPECT_TRUE(is_hung_up(misaligned.get()));
    EXPECT_EQ(readers(), 0u);
    EXPECT_EQ(refused(), 4u);
    EXPECT_FALSE(is_gone(parent));
}

// Goal: a child that hangs up is kept while its memory is there, and forgotten once it is not.
// Method: the same, with a device that says so.
TEST_F(ServerReadersTest, HangingUpIsNotTheEnd) {
    const Client parent = running_client();
    UniqueFd first = attach(parent.socket.get());
    UniqueFd second = attach(parent.socket.get());
    turns();
    first.reset();
    turns();
    EXPECT_EQ(spaces_.readers_removed, 0u);
    spaces_.readers_are_alive = false;
    second.reset();
    turns();
    EXPECT_EQ(spaces_.readers_removed, 1u);
    EXPECT_FALSE(is_gone(parent));
}

// Goal: there is a limit, and what has ended makes room. Method: one reader at a time, whose
// process has made its connection and ended.
TEST_F(ServerReadersTest, AreLimitedAndEndWithTheirProcess) {
    start({.readers_max = 1});
    const Client parent = running_client();
    int keep[2];
    ASSERT_EQ(::pipe2(keep, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(keep[1]);
        const UniqueFd own = attach(parent.socket.get());
        char byte = 0;
        ::_exit(static_cast<int>(::read(keep[0], &byte, 1)));
    }
    while (readers() == 0) server_->turn(plenty);
    const UniqueFd late = attach(parent.socket.get());
    turns();
    EXPECT_EQ(answer(late), Errc::busy);
    ::close(keep[0]);
    ::close(keep[1]);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    while (spaces_.readers_removed == 0) server_->turn(plenty);
    const UniqueFd next = attach(parent.socket.get());
    turns();
    EXPECT_EQ(answer(next), Errc::ok);
}

}  // namespace
}  // namespace ciuic::testing_server
