// SPDX-License-Identifier: Apache-2.0
#include "protocol/socket.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace ciuic {
namespace {

constexpr Nanos at_once{0};
constexpr Nanos plenty{5'000'000'000};

class SocketTest : public testing::Test {
protected:
    void SetUp() override {
        auto pair = socket_pair();
        ASSERT_TRUE(pair);
        daemon_ = std::move((*pair)[0]);
        client_ = std::move((*pair)[1]);
    }
    Errc receive_hello() {
        wire::Hello hello;
        const Status status = receive_message(daemon_.get(), hello, fds_, at_once);
        return status.error().code;
    }
    void send_raw(const void* data, size_t length_bytes) {
        ASSERT_EQ(::send(client_.get(), data, length_bytes, MSG_NOSIGNAL),
                  static_cast<ssize_t>(length_bytes));
    }

    UniqueFd daemon_;
    UniqueFd client_;
    ReceivedFds fds_;
};

size_t open_fds() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

// Goal: a message and its descriptors arrive whole. Method: an eventfd is written on one side and
// read through the received copy.
TEST_F(SocketTest, CarriesAMessageAndDescriptors) {
    const UniqueFd event(::eventfd(7, EFD_CLOEXEC));
    const int sent[] = {event.get(), event.get()};
    ASSERT_TRUE(send_message(client_.get(), wire::Hello{.address_chunks = 12}, sent, at_once));
    wire::Hello hello;
    ASSERT_TRUE(receive_message(daemon_.get(), hello, fds_, at_once));
    EXPECT_EQ(hello.address_chunks, 12u);
    ASSERT_EQ(fds_.count, 2u);
    uint64_t value = 0;
    ASSERT_EQ(::read(fds_.fds[1].get(), &value, sizeof value), 8);
    EXPECT_EQ(value, 7u);
    EXPECT_NE(::fcntl(fds_.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

// Goal: everything that is not the expected message is refused and told apart. Method: one fault
// at a time.
TEST_F(SocketTest, RefusesWhatIsNotTheMessage) {
    EXPECT_EQ(receive_hello(), Errc::busy);
    wire::Hello hello;
    send_raw(&hello, 3);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    send_raw(&hello, sizeof hello - 1);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    std::vector<char> longer(sizeof hello + 1);
    std::memcpy(longer.data(), &hello, sizeof hello);
    send_raw(longer.data(), longer.size());
    EXPECT_EQ(receive_hello(), Errc::invalid);
    hello.header.magic ^= 1;
    send_raw(&hello, sizeof hello);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    hello = {};
    hello.header.kind = wire::MessageKind::ready;
    send_raw(&hello, sizeof hello);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    hello = {};
    hello.header.flags = 0x80000000u;
    send_raw(&hello, sizeof hello);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    hello = {};
    hello.header.size_bytes = 0xffffffffu;
    send_raw(&hello, sizeof hello);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    hello = {};
    hello.header.version = 99;
    send_raw(&hello, 24);  // another version may have another size
    EXPECT_EQ(receive_hello(), Errc::version);
    send_raw(&hello, 0);
    EXPECT_EQ(receive_hello(), Errc::disconnected);
    client_.reset();
    EXPECT_EQ(receive_hello(), Errc::disconnected);
}

// Goal: no descriptor is left open after a refusal. Method: messages with too many, and with a
// fault; the number of open descriptors is the same as before.
TEST_F(SocketTest, ClosesTheDescriptorsOfWhatItRefuses) {
    const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
    const size_t before = open_fds();
    const auto send_with_fds = [&](const wire::Hello& hello, size_t count) {
        std::vector<int> fds(count, event.get());
        std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
        iovec part{const_cast<wire::Hello*>(&hello), sizeof hello};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds.data(), count * sizeof(int));
        ASSERT_EQ(::sendmsg(client_.get(), &header, MSG_NOSIGNAL),
                  static_cast<ssize_t>(sizeof hello));
    };
    for (const size_t count : {6u, 7u, 20u, 253u}) {
        SCOPED_TRACE(count);
        send_with_fds({}, count);
        EXPECT_EQ(receive_hello(), Errc::invalid);
        EXPECT_EQ(fds_.count, 0u);
        EXPECT_EQ(open_fds(), before);
    }
    wire::Hello bad;
    bad.header.magic = 0;
    send_with_fds(bad, 2);
    EXPECT_EQ(receive_hello(), Errc::invalid);
    EXPECT_EQ(open_fds(), before);
    const std::vector<int> many(6, event.get());
    EXPECT_EQ(send_message(client_.get(), wire::Hello{}, many, at_once).error().code,
              Errc::invalid);
}

// Goal: nobody waits for ever. Method: silence, and a peer that never reads.
TEST_F(SocketTest, ObeysTheDeadline) {
    wire::Hello hello;
    EXPECT_EQ(receive_message(daemon_.get(), hello, fds_, Nanos{1'000'000}).error().code,
              Errc::timed_out);
    Status status;
    while (status) status = send_message(client_.get(), hello, {}, at_once);
    EXPECT_EQ(status.error().code, Errc::busy);
    EXPECT_EQ(send_message(client_.get(), hello, {}, Nanos{1'000'000}).error().code,
              Errc::timed_out);
}

// Goal: a wait ends with the message, or with the peer. Method: another thread answers, then goes.
TEST_F(SocketTest, WaitsForTheOtherEnd) {
    std::thread other([client = std::move(client_)]() mutable {
        ASSERT_TRUE(send_message(client.get(), wire::Hello{.address_chunks = 3}, {}, plenty));
        wire::Welcome welcome;
        ReceivedFds fds;
        ASSERT_TRUE(receive_message(client.get(), welcome, fds, plenty));
        client.reset();
    });
    wire::Hello hello;
    EXPECT_TRUE(receive_message(daemon_.get(), hello, fds_, plenty));
    EXPECT_EQ(hello.address_chunks, 3u);
    EXPECT_FALSE(is_hung_up(daemon_.get()));
    ASSERT_TRUE(send_message(daemon_.get(), wire::Welcome{}, {}, plenty));
    EXPECT_EQ(receive_message(daemon_.get(), hello, fds_, plenty).error().code, Errc::disconnected);
    EXPECT_TRUE(is_hung_up(daemon_.get()));
    other.join();
    EXPECT_EQ(send_message(daemon_.get(), hello, {}, at_once).error().code, Errc::disconnected);
}

class SocketPathTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ciuic-socket-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = directory_ + "/s";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string directory_;
    std::string path_;
};

// Goal: clients reach the daemon by path, and the daemon knows them. Method: connect, accept, and
// compare with this process; a child's end makes its pidfd readable.
TEST_F(SocketPathTest, ConnectsAndIdentifies) {
    const auto listener = listen_socket(path_.c_str(), 0600);
    ASSERT_TRUE(listener);
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    EXPECT_EQ(accept_socket(listener->get()).error().code, Errc::busy);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto socket = connect_socket(path_.c_str(), plenty);
        char byte = 0;
        // Ends when the daemon closes its end.
        if (socket) {
            pollfd entry{socket->get(), POLLIN, 0};
            ::poll(&entry, 1, -1);
            (void)::recv(socket->get(), &byte, 1, 0);
        }
        ::_exit(0);
    }
    pollfd waiting{listener->get(), POLLIN, 0};
    ASSERT_EQ(::poll(&waiting, 1, 5000), 1);
    auto accepted = accept_socket(listener->get());
    ASSERT_TRUE(accepted);
    const auto peer = peer_of(accepted->get());
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->pid, child);
    EXPECT_EQ(peer->uid, ::getuid());
    pollfd alive{peer->pidfd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&alive, 1, 0), 0);
    accepted->reset();
    EXPECT_EQ(::poll(&alive, 1, 5000), 1);
    ::waitpid(child, nullptr, 0);
}

// Goal: a socket file of a dead daemon does not stop the next one; a live daemon's does. Method:
// listen, listen again, close, listen again.
TEST_F(SocketPathTest, ReplacesOnlyWhatIsDead) {
    auto first = listen_socket(path_.c_str(), 0600);
    ASSERT_TRUE(first);
    EXPECT_EQ(listen_socket(path_.c_str(), 0600).error().code, Errc::busy);
    first->reset();
    EXPECT_EQ(connect_socket(path_.c_str(), at_once).error().code, Errc::disconnected);
    EXPECT_TRUE(listen_socket(path_.c_str(), 0600));
}

// Goal: nothing else is ever removed, and bad paths are named as such. Method: a file, a missing
// directory, a path that is too long.
TEST_F(SocketPathTest, RefusesBadPaths) {
    const UniqueFd file(::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    EXPECT_EQ(listen_socket(path_.c_str(), 0600).error().code, Errc::invalid);
    EXPECT_TRUE(std::filesystem::exists(path_));
    EXPECT_EQ(listen_socket((directory_ + "/none/s").c_str(), 0600).error().code, Errc::io);
    const std::string longer = directory_ + "/" + std::string(120, 'x');
    EXPECT_EQ(listen_socket(longer.c_str(), 0600).error().code, Errc::invalid);
    EXPECT_EQ(connect_socket(longer.c_str(), at_once).error().code, Errc::invalid);
    EXPECT_EQ(connect_socket((directory_ + "/none").c_str(), at_once).error().code,
              Errc::disconnected);
}

}  // namespace
}  // namespace ciuic
