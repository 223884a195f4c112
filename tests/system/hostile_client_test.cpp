// SPDX-License-Identifier: Apache-2.0
//
// Hostile clients of a real daemon, beside an innocent one.
#include "base/random.hpp"
#include "tests/system/bare_client.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <vector>

namespace ciuic {
namespace {

using test::BareClient;
using test::Pipe;

constexpr uint32_t budget_chunks = 32;
constexpr uint32_t frames_per_session = 12;
constexpr uint32_t innocent_chunks = 20;
constexpr Nanos plenty = BareClient::plenty;
// What the machine may add under load; what is seen is printed.
constexpr double wait_max_ms = 10'000;

double now_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// What an innocent client saw, since it was asked last.
struct Seen {
    double request_max_ms = 0;  // a request that needs no transfer
    double touch_max_ms = 0;    // the first byte of any chunk
    uint64_t rounds = 0;
    uint64_t wrong_words = 0;
    Errc refusal = Errc::ok;  // of a request
};

constexpr uint64_t word_of(uint64_t place) { return place * 0x9e3779b97f4a7c15u + 5; }

// Goes on touching, changing and asking until `stop` has something to read.
Seen live(BareClient& client, int stop, Random& random) {
    Seen seen;
    uint64_t* const words = client.words();
    const uint64_t words_per_chunk = client.chunk_bytes / sizeof(uint64_t);
    pollfd entry{stop, POLLIN, 0};
    for (; ::poll(&entry, 1, 0) == 0; ++seen.rounds) {
        const uint64_t place =
            random.below(innocent_chunks) * words_per_chunk + random.below(words_per_chunk);
        double start = now_ms();
        if (const_cast<volatile uint64_t*>(words)[place] != word_of(place)) ++seen.wrong_words;
        seen.touch_max_ms = std::max(seen.touch_max_ms, now_ms() - start);
        words[place] = word_of(place);  // dirty, so that it is written when it leaves
        start = now_ms();
        if (client.call(wire::RequestKind::prefetch, static_cast<uint32_t>(place / words_per_chunk),
                        1) != Errc::ok)
            ++seen.wrong_words;
        seen.request_max_ms = std::max(seen.request_max_ms, now_ms() - start);
    }
    return seen;
}

// Sends a message with as many descriptors as are wished for.
template <typename T> void send_with(int socket, const T& message, size_t count, int fd) {
    std::array<int, 64> fds;
    fds.fill(fd);
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof fds)> control{};
    iovec part{const_cast<T*>(&message), sizeof message};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), count * sizeof(int));
    (void)::sendmsg(socket, &header, MSG_NOSIGNAL);
}

// What hostile clients do. Each runs in a process of its own, which may end in any way.

void flood_connections(const std::string& path) {
    for (int round = 0; round < 5; ++round) {
        std::vector<UniqueFd> sockets;
        for (int count = 0; count < 200; ++count)
            if (auto socket = connect_socket(path.c_str(), plenty))
                sockets.push_back(*std::move(socket));
    }
}

// Everything is made for them, then they are gone.
void leave_in_the_middle(const std::string& path) {
    for (int round = 0; round < 60; ++round) {
        auto socket = connect_socket(path.c_str(), plenty);
        if (!socket) continue;
        (void)send_message(socket->get(), wire::Hello{}, {}, plenty);
        wire::Welcome welcome;
        ReceivedFds fds;
        if (round % 2) (void)receive_message(socket->get(), welcome, fds, plenty);
    }
}

void send_surplus_descriptors(const std::string& path) {
    const UniqueFd surplus(::memfd_create("surplus", MFD_CLOEXEC));
    for (const size_t count : {1, 2, 5, 6, 7, 31, 64}) {
        auto socket = connect_socket(path.c_str(), plenty);
        if (!socket) continue;
        send_with(socket->get(), wire::Hello{}, count, surplus.get());
        wire::Welcome welcome;
        ReceivedFds fds;
        (void)receive_message(socket->get(), welcome, fds, plenty);
    }
}

// Hellos with some of their bytes changed, and pure noise.
void send_random_messages(const std::string& path) {
    Random random(7);
    for (int count = 0; count < 500; ++count) {
        auto socket = connect_socket(path.c_str(), plenty);
        if (!socket) continue;
        std::array<std::byte, sizeof(wire::Hello) + 64> message{};
        const wire::Hello hello;
        std::memcpy(message.data(), &hello, sizeof hello);
        const uint64_t changes = random.chance(1, 4) ? message.size() : random.below(4);
        for (uint64_t change = 0; change < changes; ++change)
            message[random.below(message.size())] = static_cast<std::byte>(random.next());
        const size_t length = random.chance(1, 2) ? sizeof hello : 1 + random.below(message.size());
        (void)::send(socket->get(), message.data(), length, MSG_NOSIGNAL);
    }
}

void fill_the_ring_with_garbage(const std::string& path) {
    for (uint64_t seed = 1; seed <= 100; ++seed) {
        auto client = BareClient::connect(path);
        if (!client) continue;
        Random random(seed);
        for (auto& entry : client->segment.ring())
            entry.put({.kind = static_cast<wire::RequestKind>(random.below(7)),
                       .slot = static_cast<uint32_t>(random.below(65)),
                       .sequence = static_cast<uint32_t>(random.next()),
                       .first_chunk = static_cast<uint32_t>(random.next()),
                       .chunks = static_cast<uint32_t>(random.next())});
        client->segment.request_tail().put(limits::ring_entries);
        client->ring();
        client->await_end();
    }
}

void rewind_the_tail(const std::string& path) {
    for (const uint32_t tail : {UINT32_MAX, 0x80000000u, limits::ring_entries + 1}) {
        auto client = BareClient::connect(path);
        if (!client) continue;
        client->segment.request_tail().put(tail);
        client->ring();
        client->await_end();
    }
}

void flood_the_doorbell(const std::string& path) {
    auto client = BareClient::connect(path);
    for (int count = 0; client && count < 100'000; ++count) client->ring();
}

// Lawful, and as much work as one client can ask for.
void flood_with_requests(const std::string& path) {
    auto client = BareClient::connect(path);
    if (!client) return;
    for (int round = 0; round < 200; ++round) {
        (void)client->promise(0, 32);
        for (uint32_t chunk = 0; chunk < frames_per_session; ++chunk)
            client->ask(wire::RequestKind::acquire, chunk, 1);
        for (uint32_t count = 0; count < 48; ++count)
            client->ask(static_cast<wire::RequestKind>(1 + count % 4), 0, 32);
        (void)client->call(wire::RequestKind::discard, 0, 32);
    }
}

// Uses its memory and cuts the file under it, again and again.
void truncate_the_file(const std::string& path) {
    for (int round = 0; round < 20; ++round) {
        auto client = BareClient::connect(path);
        if (!client || client->promise(0, 24) != Errc::ok) continue;
        for (uint32_t chunk = 0; chunk < 8; ++chunk)
            (void)client->call(wire::RequestKind::acquire, chunk, 1);
        client->ask(wire::RequestKind::evict, 0, 8);
        if (::ftruncate(client->memory_file.get(), 0) != 0) return;  // sealed
        for (uint32_t chunk = 8; chunk < 16; ++chunk)
            client->ask(wire::RequestKind::acquire, chunk, 1);
        client->await_end();
    }
}

void fill_the_file(const std::string& path) {
    auto client = BareClient::connect(path);
    if (!client) return;
    (void)::fallocate(client->memory_file.get(), 0, 0, budget_chunks * 2 * MiB);
    for (uint64_t chunk = 0; chunk < budget_chunks; ++chunk)  // as much as there is
        (void)::fallocate(client->memory_file.get(), 0, static_cast<off_t>(chunk * 2 * MiB),
                          2 * MiB);
    // Whoever has no memory now finds the thief; where there is plenty, nobody is harmed.
    for (int count = 0; count < 200 && !is_hung_up(client->socket.get()); ++count)
        (void)client->call(wire::RequestKind::prefetch, 0, 1);
}

// Changes and punches bytes that are on their way, through a mapping that the daemon has not.
void meddle_with_transfers(const std::string& path) {
    auto client = BareClient::connect(path);
    if (!client || client->promise(0, 16) != Errc::ok) return;
    const auto behind = Mapping::create(16 * client->chunk_bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED, client->memory_file.get());
    if (!behind) return;
    Random random(3);
    for (int round = 0; round < 60; ++round) {
        const auto chunk = static_cast<uint32_t>(random.below(16));
        (void)client->call(wire::RequestKind::acquire, chunk, 1);
        client->ask(wire::RequestKind::evict, chunk, 1);
        for (int count = 0; count < 64; ++count)
            behind->data()[chunk * client->chunk_bytes + random.below(client->chunk_bytes)] =
                static_cast<std::byte>(count);
        (void)::fallocate(client->memory_file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          static_cast<off_t>(chunk * client->chunk_bytes), 64 * KiB);
        (void)client->call(wire::RequestKind::prefetch, chunk, 1);
    }
}

struct Act {
    const char* name;
    void (*run)(const std::string& path);
};
constexpr Act acts[] = {
    {"fills its file", fill_the_file},
    {"floods connections", flood_connections},
    {"leaves in the middle", leave_in_the_middle},
    {"sends surplus descriptors", send_surplus_descriptors},
    {"sends random messages", send_random_messages},
    {"fills the ring with garbage", fill_the_ring_with_garbage},
    {"rewinds the tail", rewind_the_tail},
    {"floods the doorbell", flood_the_doorbell},
    {"floods with requests", flood_with_requests},
    {"truncates its file", truncate_the_file},
    {"meddles with transfers", meddle_with_transfers},
};

class HostileClientTest : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (const std::string why = test::why_no_daemon(); !why.empty()) GTEST_SKIP() << why;
        if (const std::string why = test::why_no_frames(GetParam()); !why.empty())
            GTEST_SKIP() << why;
        std::string pattern = testing::TempDir() + "ciuic-hostile-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        start_daemon();
        if (!testing::Test::HasFatalFailure() && daemon_ > 0) start_innocent();
    }
    void TearDown() override {
        for (const pid_t pid : {innocent_, daemon_}) {
            if (pid <= 0) continue;
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
        if (!directory_.empty()) std::filesystem::remove_all(directory_);
    }
    std::string socket() const { return directory_ + "/s"; }

    void start_daemon() {
        const Pipe ready;
        const std::string ready_fd = std::to_string(ready.in.get());
        const std::string report = directory_ + "/r.json";
        daemon_ = ::fork();
        if (daemon_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::fcntl(ready.in.get(), F_SETFD, 0);
            ::execl(CIUIC_BIN_DIR "/ciuic-swapd", "ciuic-swapd", "--socket", socket().c_str(),
                    "--store", directory_.c_str(), "--store-size", "256MiB", "--budget", "64MiB",
                    "--max-frames", std::to_string(frames_per_session).c_str(), "--frames",
                    GetParam(), "--report", report.c_str(), "--ready-fd", ready_fd.c_str(),
                    nullptr);
            ::_exit(127);
        }
        Pipe closed;  // this process's copy of the writing end must not keep the pipe open
        ASSERT_EQ(::dup3(closed.out.get(), ready.in.get(), O_CLOEXEC), ready.in.get());
        if (ready.read_byte() == 'R') return;
        ::waitpid(daemon_, nullptr, 0);
        daemon_ = 0;
        FAIL() << "the daemon has not started";
    }

    // Fills its memory and says so; then lives until a byte comes, and tells what it saw.
    void start_innocent() {
        innocent_ = ::fork();
        if (innocent_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            to_innocent_.in.reset();
            auto client = BareClient::connect(socket());
            if (!client || client->promise(0, innocent_chunks) != Errc::ok) ::_exit(1);
            const uint64_t words = innocent_chunks * client->chunk_bytes / sizeof(uint64_t);
            for (uint64_t place = 0; place < words; ++place)
                client->words()[place] = word_of(place);
            from_innocent_.write_byte('f');
            Random random(1);
            for (;;) {
                const Seen seen = live(*client, to_innocent_.out.get(), random);
                if (to_innocent_.read_byte() != 'm') break;
                (void)!::write(from_innocent_.in.get(), &seen, sizeof seen);
            }
            uint64_t wrong = 0;
            for (uint64_t place = 0; place < words; ++place)
                if (client->words()[place] != word_of(place)) ++wrong;
            ::_exit(wrong == 0 ? 0 : 1);
        }
        to_innocent_.out.reset();
        from_innocent_.in.reset();
        ASSERT_EQ(from_innocent_.read_byte(), 'f');
    }
    Seen measure() {
        to_innocent_.write_byte('m');
        Seen seen;
        EXPECT_EQ(::read(from_innocent_.out.get(), &seen, sizeof seen),
                  static_cast<ssize_t>(sizeof seen));
        return seen;
    }
    void print(const char* what, const Seen& seen) {
        std::printf("%-9s %-28s longest request %8.3f ms, touch %8.3f ms, of %llu rounds\n",
                    GetParam(), what, seen.request_max_ms, seen.touch_max_ms,
                    static_cast<unsigned long long>(seen.rounds));
        std::fflush(stdout);
        EXPECT_EQ(seen.wrong_words, 0u);
        EXPECT_EQ(seen.refusal, Errc::ok);
        EXPECT_LT(seen.request_max_ms, wait_max_ms);
        EXPECT_LT(seen.touch_max_ms, wait_max_ms);
    }
    void run(const Act& act) {
        const pid_t hostile = ::fork();
        if (hostile == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            act.run(socket());
            ::_exit(0);
        }
        ::waitpid(hostile, nullptr, 0);
    }
    int status_of(pid_t& pid) {
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    std::string directory_;
    Pipe to_innocent_;
    Pipe from_innocent_;
    pid_t daemon_ = 0;
    pid_t innocent_ = 0;
};

// Goal: whatever a client does, it harms no one else: the innocent one finds every byte and is
// served all the while, the daemon lives, and its report tells of the breaches. Method: each act in
// a process of its own, beside a client that touches, changes and asks; its longest wait is printed
// for each, and for a while without any.
TEST_P(HostileClientTest, HarmsNoOneElse) {
    (void)measure();
    run({"nothing", [](const std::string&) {
             const double end = now_ms() + 1000;
             while (now_ms() < end) ::sched_yield();
         }});
    print("alone", measure());
    for (const Act& act : acts) {
        run(act);
        print(act.name, measure());
        ASSERT_EQ(::waitpid(daemon_, nullptr, WNOHANG), 0) << "the daemon has ended";
    }
    to_innocent_.in.reset();
    EXPECT_EQ(status_of(innocent_), 0);
    ::kill(daemon_, SIGTERM);
    EXPECT_EQ(status_of(daemon_), 0);
    std::ifstream file(directory_ + "/r.json");
    const auto report = nlohmann::json::parse(file);
    // Garbage in the ring, tails, and, where it is not sealed, the file.
    const bool sealed = std::string(GetParam()) == "memfd";
    EXPECT_GE(report["clients"]["violations"], 20 + 3 + (sealed ? 0 : 20));
    EXPECT_GE(report["clients"]["handshakes_refused"], 7);
    EXPECT_EQ(report["total"]["frames"], 0);
    EXPECT_EQ(report["total"]["chunks_promised"], 0);
    EXPECT_EQ(report["store"]["places_quarantined"], 0) << "no client uses up the store";
}

INSTANTIATE_TEST_SUITE_P(Frames, HostileClientTest, testing::Values("memfd", "tmpfs"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ciuic
