// SPDX-License-Identifier: Apache-2.0
#include "daemon/server.hpp"

#include "tests/unit/daemon/server_fixture.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace ciuic::testing_server {
namespace {

constexpr Nanos plenty{5'000'000'000};

// Goal: the handshake gives what the protocol says. Method: a client that checks every field.
TEST_F(ServerTest, WelcomesAClient) {
    start({.incarnation = 77, .userfaultfd = STDIN_FILENO});
    Client client = connect();
    wire::Hello hello{.address_chunks = 10};
    std::memcpy(hello.name.data(), "a\x01name", 6);
    client.say(hello);
    turns();
    ASSERT_EQ(client.receive_welcome(), Errc::ok);
    EXPECT_EQ(static_cast<Errc>(client.welcome.status), Errc::ok);
    EXPECT_EQ(client.welcome.address_chunks, 10u);
    EXPECT_EQ(client.welcome.chunk_bytes, chunk_bytes);
    EXPECT_EQ(client.welcome.incarnation, 77u);
    EXPECT_EQ(client.welcome.daemon_pid, static_cast<uint32_t>(::getpid()));
    EXPECT_EQ(client.welcome.header.flags, wire::Welcome::flag_userfaultfd);
    EXPECT_EQ(client.fds.count, wire::welcome_fds_max);
    client.map();
    EXPECT_EQ(std::as_const(client.engine).page().sleeping.load(), 1u);
    EXPECT_EQ(server_->summaries().at(0).name, "a?name");
    EXPECT_TRUE(server_->running().empty());
}

// Goal: nobody gets more address space than the daemon has, and none asked for is the default.
// Method: too much, and zero.
TEST_F(ServerTest, BoundsTheAddressSpace) {
    for (const uint32_t wanted : {0u, address_chunks + 1, UINT32_MAX}) {
        Client client = connect();
        client.say(wire::Hello{.address_chunks = wanted});
        turns();
        ASSERT_EQ(client.receive_welcome(), Errc::ok);
        EXPECT_EQ(client.welcome.address_chunks, address_chunks);
        EXPECT_EQ(client.fds.count, wire::welcome_fds_min);
    }
}

// Goal: a hostile or broken first message ends the connection, takes nothing, and leaves the others
// alone. Method: one fault each, beside a good client.
TEST_F(ServerTest, RefusesBadHellos) {
    const Client good = running_client();
    wire::Hello hello;
    const auto expect_refused = [&](Client& client, Errc expected) {
        turns();
        if (expected != Errc::disconnected) {
            ASSERT_EQ(client.receive_welcome(), Errc::ok);
            EXPECT_EQ(static_cast<Errc>(client.welcome.status), expected);
            EXPECT_EQ(client.fds.count, 0u);
        }
        EXPECT_TRUE(is_gone(client));
    };
    const auto send_raw = [](Client& client, const void* data, size_t length_bytes) {
        ASSERT_GT(::send(client.socket.get(), data, length_bytes, MSG_NOSIGNAL), 0);
    };
    Client short_one = connect();
    send_raw(short_one, &hello, sizeof hello - 4);
    expect_refused(short_one, Errc::invalid);
    Client foreign = connect();
    send_raw(foreign, "GET / HTTP/1.1\r\n\r\n", 18);
    expect_refused(foreign, Errc::invalid);
    Client future = connect();
    hello.header.version = 99;
    send_raw(future, &hello, sizeof hello);
    expect_refused(future, Errc::version);
    Client eager = connect();
    eager.say(wire::Ready{});
    expect_refused(eager, Errc::invalid);
    Client laden = connect();
    const int surplus = STDIN_FILENO;
    laden.say(wire::Hello{}, std::span(&surplus, 1));
    expect_refused(laden, Errc::invalid);
    spaces_.refuse_space = true;
    Client unlucky = connect();
    unlucky.say(wire::Hello{});
    expect_refused(unlucky, Errc::no_memory);
    EXPECT_EQ(server_->counts().handshakes_refused, 6u);
    EXPECT_EQ(device_.detached.size(), 1u);  // the unlucky one had a session already
    EXPECT_EQ(server_->running().size(), 1u);
    EXPECT_FALSE(is_gone(good));
}

// Goal: a bad second message ends the connection and gives the session back. Method: one fault
// each.
TEST_F(ServerTest, RefusesBadReadies) {
    const int one_fd = STDIN_FILENO;
    const std::array<int, 2> two_fds{STDIN_FILENO, STDIN_FILENO};
    const struct {
        uint64_t base_address;
        std::span<const int> fds;
    } cases[] = {{chunk_bytes, {}}, {chunk_bytes, two_fds}, {1, std::span(&one_fd, 1)}};
    for (const auto& entry : cases) {
        Client client = connect();
        client.say(wire::Hello{});
        turns();
        ASSERT_EQ(client.receive_welcome(), Errc::ok);
        client.say(wire::Ready{.base_address = entry.base_address}, entry.fds);
        turns();
        wire::Started started;
        ReceivedFds none;
        ASSERT_TRUE(receive_message(client.socket.get(), started, none, Nanos{0}));
        EXPECT_EQ(static_cast<Errc>(started.status), Errc::invalid);
        EXPECT_TRUE(is_gone(client));
    }
    Client again = connect();
    again.say(wire::Hello{});
    turns();
    again.say(wire::Hello{});
    turns();
    EXPECT_TRUE(is_gone(again));
    EXPECT_EQ(device_.detached.size(), 4u);
    EXPECT_TRUE(server_->running().empty());
}

// Goal: a silent client does not stay. Method: the clock jumps to just before the deadline, then
// past it, once in each step of the handshake; a running client stays.
TEST_F(ServerTest, EndsSilentHandshakes) {
    const Client running = running_client();
    const Client mute = connect();
    Client half = connect();
    half.say(wire::Hello{});
    turns();
    clock_.advance(limits::handshake_deadline - Nanos{1});
    turns();
    EXPECT_FALSE(is_gone(mute) || is_gone(half));
    clock_.advance(Nanos{1});
    turns();
    EXPECT_TRUE(is_gone(mute) && is_gone(half));
    EXPECT_FALSE(is_gone(running));
    EXPECT_EQ(server_->counts().handshakes_timed_out, 2u);
}

// Goal: the number of clients is bounded, and a place that becomes free is used again. Method: fill
// it (one user may have 14 of 16), be refused, leave, connect.
TEST_F(ServerTest, BoundsTheNumberOfClients) {
    std::vector<Client> clients;
    clients.reserve(14);
    for (int count = 0; count < 14; ++count) clients.push_back(running_client());
    auto pair = socket_pair();
    ASSERT_TRUE(pair);
    EXPECT_EQ(server_->adopt(std::move((*pair)[0])).error().code, Errc::busy);
    Client refused;
    refused.socket = std::move((*pair)[1]);
    ASSERT_EQ(refused.receive_welcome(), Errc::ok);
    EXPECT_EQ(static_cast<Errc>(refused.welcome.status), Errc::busy);
    clients.pop_back();
    turns();
    EXPECT_EQ(server_->running().size(), 13u);
    running_client();
}

// Goal: requests are carried out and answered in the slot that they name. Method: promise, acquire
// and give up; the state words tell what became of the chunks. The third is filled ahead.
TEST_F(ServerTest, AnswersRequests) {
    Client client = running_client();
    const uint32_t promise = client.ask(wire::RequestKind::promise, 0, 3);
    const uint32_t acquire = client.ask(wire::RequestKind::acquire, 0, 2);
    client.ring();
    turns(32);
    ASSERT_TRUE(client.is_answered(promise) && client.is_answered(acquire));
    EXPECT_EQ(client.answer(promise), Errc::ok);
    EXPECT_EQ(client.answer(acquire), Errc::ok);
    const auto states = std::as_const(client.engine).states();
    EXPECT_EQ(states[1].load() & 0xff, static_cast<uint32_t>(ChunkState::resident));
    EXPECT_EQ(states[2].load() & 0xff, static_cast<uint32_t>(ChunkState::zeroed));
    EXPECT_EQ(device_.open_frames, 3u);
    const uint32_t discard = client.ask(wire::RequestKind::discard, 0, 3);
    client.ring();
    turns(32);
    ASSERT_TRUE(client.is_answered(discard));
    EXPECT_EQ(client.answer(discard), Errc::ok);
    EXPECT_EQ(device_.open_frames, 0u);
    clock_.advance(Nanos{1'000'000'000});
    turns();
    EXPECT_EQ(std::as_const(client.engine).statistics().fills.load(), 3u);
    EXPECT_EQ(std::as_const(client.engine).statistics().chunks_promised_peak.load(), 3u);
}

// Goal: what cannot be done is refused in the reply, and harms nothing. Method: ranges that leave
// the space (also by wrap-around), more than the store holds, chunks that are vacant.
TEST_F(ServerTest, RefusesImpossibleRequests) {
    Client client = running_client();
    const std::pair<uint32_t, Errc> cases[] = {
        {client.ask(wire::RequestKind::promise, address_chunks, 1), Errc::range},
        {client.ask(wire::RequestKind::promise, 0, address_chunks + 1), Errc::range},
        {client.ask(wire::RequestKind::promise, UINT32_MAX, UINT32_MAX), Errc::range},
        {client.ask(wire::RequestKind::acquire, 1, UINT32_MAX), Errc::range},
        {client.ask(wire::RequestKind::promise, 0, 33), Errc::no_memory},
        {client.ask(wire::RequestKind::acquire, 5, 1), Errc::invalid},
    };
    client.ring();
    turns();
    for (const auto& [request, expected] : cases) {
        SCOPED_TRACE(request);
        ASSERT_TRUE(client.is_answered(request));
        EXPECT_EQ(client.answer(request), expected);
    }
    EXPECT_FALSE(is_gone(client));
}

// Goal: a user's sessions together get no more than the user may have. Method: two sessions that
// promise in turn; what one gives back the other may take.
TEST_F(ServerTest, LimitsWhatAUsersSessionsArePromised) {
    start({.user = {.max_promise_bytes = 10 * chunk_bytes}});
    Client one = running_client();
    Client two = running_client();
    const auto ask = [&](Client& client, wire::RequestKind kind, uint32_t first, uint32_t count) {
        const uint32_t number = client.ask(kind, first, count);
        client.ring();
        turns();
        EXPECT_TRUE(client.is_answered(number));
        return client.answer(number);
    };
    EXPECT_EQ(ask(one, wire::RequestKind::promise, 0, 8), Errc::ok);
    EXPECT_EQ(ask(two, wire::RequestKind::promise, 0, 3), Errc::no_memory);
    EXPECT_EQ(ask(two, wire::RequestKind::promise, 0, 2), Errc::ok);
    EXPECT_EQ(ask(one, wire::RequestKind::discard, 0, 4), Errc::ok);
    EXPECT_EQ(ask(two, wire::RequestKind::promise, 2, 4), Errc::ok);
    // Several in one batch count together.
    EXPECT_EQ(ask(one, wire::RequestKind::discard, 4, 4), Errc::ok);
    const uint32_t first = one.ask(wire::RequestKind::promise, 0, 4);
    const uint32_t second = one.ask(wire::RequestKind::promise, 4, 1);
    one.ring();
    turns();
    EXPECT_EQ(one.answer(first), Errc::ok);
    EXPECT_EQ(one.answer(second), Errc::no_memory);
}

// Goal: one user has no more sessions than allowed. Method: one too many, and again after one left.
TEST_F(ServerTest, LimitsAUsersSessions) {
    start({.user = {.max_sessions = 2}});
    Client one = running_client();
    {
        Client two = running_client();
        auto pair = socket_pair();
        ASSERT_TRUE(pair);
        EXPECT_EQ(server_->adopt(std::move((*pair)[0])).error().code, Errc::busy);
    }
    turns();
    Client three = running_client();
    EXPECT_FALSE(is_gone(one));
}

// Goal: a guarantee is kept or refused, never given twice. Method: a rule whose guarantee leaves
// room for one session.
TEST_F(ServerTest, RefusesASessionThatItCannotGiveItsGuarantee) {
    start({.shares = {{.user = ::getuid(),
                       .cgroup = "",
                       .share = {.guarantee_bytes = (frames - limits::frames_min) * chunk_bytes,
                                 .weight = 7}}}});
    Client one = running_client();
    EXPECT_EQ(server_->summaries()[0].share.weight, 7u);
    Client two = connect();
    two.say(wire::Hello{});
    turns();
    EXPECT_EQ(two.receive_welcome(), Errc::ok);
    EXPECT_EQ(static_cast<Errc>(two.welcome.status), Errc::no_memory);
}

// Goal: where the kernel has no poison, a touch that has to fail ends its session, and only that
// one, and is counted once. Method: two touches of what was never promised, beside a good client.
TEST_F(ServerTest, EndsSessionsWhoseTouchesCannotFail) {
    const Client good = running_client();
    const Client lost = running_client();
    device_.poison_result = Error{Errc::unsupported, 0, "an old kernel"};
    for (const uint32_t chunk : {3u, 4u})
        device_.events.push_back({.chunk = {SessionIndex{1}, ChunkIndex{chunk}}});
    turns();
    EXPECT_TRUE(is_gone(lost));
    EXPECT_FALSE(is_gone(good));
    EXPECT_EQ(server_->counts().unanswerable, 1u);
    EXPECT_EQ(server_->counts().violations, 0u);
    EXPECT_EQ(server_->running().size(), 1u);
    EXPECT_EQ(device_.detached, std::vector{SessionIndex{1}});
}

// Goal: what has no answer ends the session, and only that one. Method: one breach each, beside a
// good client.
TEST_F(ServerTest, EndsSessionsThatBreakTheProtocol) {
    Client good = running_client();
    const auto expect_gone = [&](Client& client) {
        client.ring();
        turns();
        EXPECT_TRUE(is_gone(client));
    };
    Client unknown = running_client();
    unknown.ask(static_cast<wire::RequestKind>(wire::request_kinds), 0, 1);
    expect_gone(unknown);
    Client slotless = running_client();
    slotless.segment.ring()[0].put({.slot = wire::reply_slots, .sequence = 1, .chunks = 1});
    slotless.segment.request_tail().put(1);
    expect_gone(slotless);
    Client overfull = running_client();
    overfull.segment.request_tail().put(limits::ring_entries + 1);
    expect_gone(overfull);
    Client backwards = running_client();
    backwards.segment.request_tail().put(UINT32_MAX);
    expect_gone(backwards);
    Client talker = running_client();
    talker.say(wire::Hello{});
    expect_gone(talker);
    EXPECT_EQ(server_->counts().violations, 5u);
    const uint32_t promise = good.ask(wire::RequestKind::promise, 0, 1);
    good.ring();
    turns();
    EXPECT_TRUE(good.is_answered(promise));
}

// Goal: many who say Hello at once keep nobody waiting: a few are answered, then it is a turn's
// time. Method: twelve; after each turn so many have their Welcome.
TEST_F(ServerTest, GreetsAFewAtATime) {
    std::vector<Client> clients;
    for (int count = 0; count < 12; ++count) {
        clients.push_back(connect());
        clients.back().say(wire::Hello{});
    }
    const auto welcomed = [&] {
        size_t count = 0;
        for (Client& client : clients)
            if (client.fds.count > 0 || client.receive_welcome() == Errc::ok) ++count;
        return count;
    };
    for (const size_t expected : {4u, 8u, 12u}) {
        turns(1);
        EXPECT_EQ(welcomed(), expected);
    }
}

// Goal: a client that meddles with its memory file loses its session, and only that one does.
// Method: the space port tells of one, twice; a breach of a session that is closing is no other.
TEST_F(ServerTest, EndsSessionsThatMeddleWithTheirMemory) {
    const Client good = running_client();
    const Client meddler = running_client();
    spaces_.breach = {SessionIndex{meddler.welcome.session}, "it meddled"};
    turns(1);
    EXPECT_TRUE(is_gone(meddler));
    EXPECT_FALSE(is_gone(good));
    EXPECT_EQ(server_->counts().violations, 1u);
    turns();
    spaces_.breach = {SessionIndex{meddler.welcome.session}, "it meddled"};
    turns();
    EXPECT_EQ(server_->counts().violations, 1u);
    EXPECT_EQ(server_->running().size(), 1u);
}

// Goal: one client that asks without end does not keep another waiting. Method: a full ring beside
// a single request; the latter is answered within one turn.
TEST_F(ServerTest, ServesClientsInTurn) {
    Client greedy = running_client();
    Client modest = running_client();
    for (uint32_t count = 0; count < limits::ring_entries; ++count)
        greedy.ask(wire::RequestKind::promise, address_chunks, 1);
    const uint32_t request = modest.ask(wire::RequestKind::promise, 0, 1);
    greedy.ring();
    modest.ring();
    server_->turn(Nanos{0});  // sees the doorbells
    server_->turn(Nanos{0});
    EXPECT_TRUE(modest.is_answered(request));
    EXPECT_FALSE(greedy.is_answered(limits::ring_entries));
    turns(32);
    EXPECT_TRUE(greedy.is_answered(limits::ring_entries));
}

// Goal: an idle server sleeps and is woken; `sleeping` tells clients the truth. Method: after idle
// turns it is set, and a request without a doorbell waits; with one it is answered.
TEST_F(ServerTest, SleepsUntilTheDoorbell) {
    Client client = running_client();
    turns();
    EXPECT_EQ(std::as_const(client.engine).page().sleeping.load(), 1u);
    const uint32_t request = client.ask(wire::RequestKind::promise, 0, 1);
    turns();
    EXPECT_FALSE(client.is_answered(request));
    client.ring();
    turns();
    EXPECT_TRUE(client.is_answered(request));
    EXPECT_EQ(std::as_const(client.engine).page().sleeping.load(), 1u);
    // A doorbell that its holder has made blocking, and emptied, stops nobody.
    ASSERT_EQ(::fcntl(client.fd(wire::WelcomeFd::doorbell), F_SETFL, 0), 0);
    uint64_t value = 0;
    ASSERT_EQ(::read(client.fd(wire::WelcomeFd::doorbell), &value, sizeof value), 8);
    client.ring();
    ASSERT_EQ(::read(client.fd(wire::WelcomeFd::doorbell), &value, sizeof value), 8);
    turns();
    const uint32_t next = client.ask(wire::RequestKind::promise, 1, 1);
    client.ring();
    turns();
    EXPECT_TRUE(client.is_answered(next));
}

// Goal: a session that ends gives everything back and is remembered. Method: chunks on the device,
// counters of the client, then the socket is closed.
TEST_F(ServerTest, GivesBackWhatASessionHad) {
    {
        Client client = running_client();
        client.ask(wire::RequestKind::promise, 0, 8);
        client.ask(wire::RequestKind::acquire, 0, 8);
        client.segment.counters().large_served.add(5);
        client.ring();
        turns(64);
        EXPECT_EQ(device_.open_frames, 8u);
        EXPECT_EQ(server_->engine().chunks_promised(), 8u);
    }
    turns(64);
    EXPECT_EQ(device_.open_frames, 0u);
    EXPECT_EQ(server_->engine().chunks_promised(), 0u);
    EXPECT_EQ(server_->engine().frames_free(), frames);
    EXPECT_TRUE(server_->running().empty());
    const auto summaries = server_->summaries();
    ASSERT_EQ(summaries.size(), 1u);
    EXPECT_TRUE(summaries[0].ended);
    EXPECT_EQ(summaries[0].stats.fills, 8u);
    EXPECT_EQ(summaries[0].counts.large_served, 5u);
    EXPECT_EQ(server_->total_counts().large_served, 5u);
}

// Goal: stopping takes no clients any more, ends handshakes, and waits for those that run. Method:
// one of each.
TEST_F(ServerTest, StopsWhenTheLastClientHasLeft) {
    Client running = running_client();
    const Client connecting = connect();
    server_->stop();
    EXPECT_TRUE(is_gone(connecting));
    auto pair = socket_pair();
    EXPECT_EQ(server_->adopt(std::move((*pair)[0])).error().code, Errc::busy);
    for (int turn = 0; turn < 8; ++turn) EXPECT_TRUE(server_->turn(Nanos{0}));
    clock_.advance(Nanos{1'000'000'000'000});
    EXPECT_TRUE(server_->turn(Nanos{0}));  // however long it takes
    const uint32_t request = running.ask(wire::RequestKind::promise, 0, 1);
    running.ring();
    turns();
    EXPECT_TRUE(running.is_answered(request));
    EXPECT_TRUE(server_->running()[0]->is_client_there());
    running.socket.reset();
    EXPECT_FALSE(server_->running()[0]->is_client_there());  // before any event is looked at
    int left = 100;
    while (server_->turn(Nanos{0}) && left > 0) --left;
    EXPECT_GT(left, 0);
}

// Goal: a client that dies is noticed although its child holds the socket open. Method: a child
// process goes through the handshake, forks, and dies; its own child waits until this test ends.
TEST_F(ServerTest, NoticesADeathBehindAnOpenSocket) {
    std::string directory = testing::TempDir() + "ciuic-server-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const std::string path = directory + "/s";
    auto listener = listen_socket(path.c_str(), 0600);
    ASSERT_TRUE(listener && server_->listen(std::move(*listener)));
    int test_lives[2];
    int may_die[2];
    ASSERT_TRUE(::pipe2(test_lives, O_CLOEXEC) == 0 && ::pipe2(may_die, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(test_lives[1]);
        ::close(may_die[1]);
        char byte = 0;
        Client client;
        auto socket = connect_socket(path.c_str(), plenty);
        if (!socket) ::_exit(1);
        (void)send_message(socket->get(), wire::Hello{}, {}, plenty);
        (void)receive_message(socket->get(), client.welcome, client.fds, plenty);
        const int fd = STDIN_FILENO;
        (void)send_message(socket->get(), wire::Ready{}, std::span(&fd, 1), plenty);
        if (::fork() == 0) ::_exit(static_cast<int>(::read(test_lives[0], &byte, 1)));
        (void)!::read(may_die[0], &byte, 1);
        ::_exit(0);
    }
    ::close(may_die[0]);
    while (server_->running().empty()) server_->turn(plenty);
    EXPECT_EQ(server_->running()[0]->pid(), child);
    EXPECT_TRUE(server_->running()[0]->is_client_there());
    ::close(may_die[1]);
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
    EXPECT_FALSE(server_->running()[0]->is_client_there());  // before any event is looked at
    while (!server_->running().empty()) server_->turn(plenty);
    turns();
    EXPECT_EQ(device_.detached.size(), 1u);
    ::close(test_lives[0]);
    ::close(test_lives[1]);
    ::waitpid(child, nullptr, 0);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ciuic::testing_server
