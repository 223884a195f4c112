// SPDX-License-Identifier: Apache-2.0
//
// Goal: no write is ever lost to an eviction, embedded and across processes; and this gate would
// see it if one were.
// Method: writers with private shadows (writers.hpp) on a space of twice the frames, while
// everything is asked to leave, all the time. Then the same with the naive order
// (naive_device.hpp), which must lose.
//
// CIUIC_GATE_WRITES sets the number of writes; the numbers of the full gate are 10^7 writes and
// 10^4 evictions.
#include "tests/gate/engine_host.hpp"
#include "tests/gate/naive_device.hpp"
#include "tests/gate/writers.hpp"

#include "base/check.hpp"
#include "device/host/client_side.hpp"
#include "device/host/embedded.hpp"
#include "device/host/embedded_file.hpp"
#include "device/host/rung.hpp"
#include "device/host/shared.hpp"
#include "staging/arena.hpp"
#include "staging/numa.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

namespace ciuic {
namespace {

constexpr uint64_t chunk_bytes = 64 * KiB;
constexpr uint64_t block_bytes = 4 * KiB;
constexpr uint32_t frames = 16;
constexpr uint32_t chunks = 32;
constexpr uint64_t space_bytes = chunks * chunk_bytes;
// The least that counts as "continuous eviction": one per 1,000 writes, as in the full gate.
constexpr uint64_t writes_per_eviction = 1000;

uint64_t writes_wanted() {
    const char* text = std::getenv("CIUIC_GATE_WRITES");
    return text ? std::strtoull(text, nullptr, 10) : 1'000'000;
}

WriterOptions writer_options(bool naive) {
    WriterOptions options;
    options.writes = naive ? 50'000'000 : writes_wanted();
    options.chunk_bytes = chunk_bytes;
    options.stop_at_loss = naive;
    return options;
}

std::unique_ptr<EngineHost> make_host(Device& device, int device_fd) {
    EngineHost::Options options;
    options.store_bytes = 2 * space_bytes;
    options.block_bytes = block_bytes;
    options.chunks = chunks;
    auto host = EngineHost::create(device, device_fd, options);
    CIUIC_CHECK(host.has_value());
    return *std::move(host);
}

// Writers that are threads of this process.
void evict_until_finished(EngineHost& host, const WriterResult& result) {
    for (uint64_t ticket = 0; !result.finished.load(); ++ticket) host.evict_all(ticket);
}

void judge(EngineHost& host, const WriterResult& result, bool naive, bool has_pieces = false) {
    const SessionStats stats = host.stats();
    std::printf("    %llu writes, %llu evictions (%llu clean, %llu recalled), %llu pieces out "
                "(%llu written), %llu gathers, %llu lost\n",
                static_cast<unsigned long long>(result.writes.load()),
                static_cast<unsigned long long>(stats.evictions),
                static_cast<unsigned long long>(stats.evictions_clean),
                static_cast<unsigned long long>(stats.recalls),
                static_cast<unsigned long long>(stats.pieces_out),
                static_cast<unsigned long long>(stats.pieces_written),
                static_cast<unsigned long long>(stats.gathers),
                static_cast<unsigned long long>(result.lost.load()));
    if (naive) {
        EXPECT_GT(result.lost.load(), 0u) << "the gate does not see lost writes";
        return;
    }
    EXPECT_EQ(result.lost.load(), 0u);
    EXPECT_GE(result.writes.load(), writes_wanted() / 2);
    EXPECT_GE(stats.evictions + stats.pieces_out, result.writes.load() / writes_per_eviction);
    EXPECT_GT(stats.recalls, 0u) << "no eviction met a program that came back";
    if (has_pieces) {
        EXPECT_GT(stats.pieces_written, 0u);
        EXPECT_GT(stats.gathers, 0u);
    }
    EXPECT_GT(stats.store_bytes_written, 0u);
    EXPECT_EQ(stats.chunks_lost, 0u);
}

// Embedded: the writers are threads of this process. With `pieces`, blocks that are touched alone
// come and go by themselves.
void run_embedded(bool naive, uint32_t pieces) {
    auto topology = machine_topology();
    auto arena = create_arena(*topology, {.size_bytes = frames * chunk_bytes +
                                                        round_up(pieces * block_bytes, chunk_bytes),
                                          .alignment_bytes = 2 * MiB,
                                          .node = 0,
                                          .lock = false});
    ASSERT_TRUE(arena.has_value());
    auto space = Mapping::create_aligned(space_bytes, 2 * MiB, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    ASSERT_TRUE(space.has_value());
    const std::span<std::byte> memory = arena->memory.bytes();
    auto device = EmbeddedHostDevice::create(
        {.arena = memory.first(frames * chunk_bytes),
         .space = space->bytes(),
         .chunk_bytes = chunk_bytes,
         .pieces = memory.subspan(frames * chunk_bytes, pieces * block_bytes),
         .piece_bytes = block_bytes});
    if (!device && device.error().code == Errc::unsupported) GTEST_SKIP() << device.error().what;
    ASSERT_TRUE(device.has_value()) << device.error().what;
    NaiveDevice naive_device(**device);
    Device& used = naive ? static_cast<Device&>(naive_device) : **device;
    auto host = make_host(used, (*device)->event_fd());

    WriterResult result;
    std::thread writers([&] { run_writers(space->bytes(), writer_options(naive), result); });
    evict_until_finished(*host, result);
    writers.join();
    judge(*host, result, naive, pieces > 0);
}

TEST(LostWriteTest, EmbeddedLosesNone) { run_embedded(false, 0); }
TEST(LostWriteTest, EmbeddedWithPiecesLosesNone) { run_embedded(false, 32); }
TEST(LostWriteTest, EmbeddedNaiveOrderIsSeenToLose) { run_embedded(true, 0); }

// Embedded, as on a kernel that stands on that rung of the ladder.
void run_embedded_on(HostRung rung) {
    const HostRungReport here = host_rung();
    if (here.rung < rung) GTEST_SKIP() << here.why;
    auto space = Mapping::create_aligned(space_bytes, 2 * MiB, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    ASSERT_TRUE(space.has_value());
    auto device = EmbeddedFileDevice::create({.space = space->bytes(),
                                              .frames = frames,
                                              .chunk_bytes = chunk_bytes,
                                              .block_bytes = block_bytes,
                                              .kind = FrameKind::memfd,
                                              .features = limited_to(rung, probe_host_features())});
    ASSERT_TRUE(device.has_value()) << device.error().what;
    auto host = make_host(**device, (*device)->event_fd());
    WriterResult result;
    std::thread writers([&] { run_writers(space->bytes(), writer_options(false), result); });
    evict_until_finished(*host, result);
    writers.join();
    judge(*host, result, false);
}

TEST(LostWriteTest, EmbeddedOnTheBaseRungLosesNone) { run_embedded_on(HostRung::base); }
TEST(LostWriteTest, EmbeddedOnTheProtectsRungLosesNone) { run_embedded_on(HostRung::protects); }

struct Meeting {  // in memory shared by the two processes
    std::atomic<int> file{-1};
    std::atomic<int> uffd{-1};
    std::atomic<uint64_t> base{0};
    std::atomic<bool> go{false};
    std::atomic<const char*> refusal{nullptr};  // a literal: the same in parent and child
    WriterResult result;
};

UniqueFd take_descriptor(pid_t process, int fd) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
}

// The other process: maps the space, has it paged by its parent, writes, and leaves.
[[noreturn]] void run_client(bool naive, Meeting& meeting) {
    ::alarm(300);  // a writer that waits for ever fails the gate
    const auto serve = [&]() -> Status {
        while (meeting.file.load() < 0) sched_yield();
        const UniqueFd file = take_descriptor(::getppid(), meeting.file.load());
        CIUIC_TRY(Mapping space, map_space(file.get(), space_bytes));
        CIUIC_TRY(UniqueFd uffd, open_userfault(-1));
        CIUIC_TRY_STATUS(uffd_handshake(uffd.get(), shared_userfault_features()));
        CIUIC_TRY_STATUS(register_space(uffd.get(), space.data(), space_bytes, true));
        meeting.base.store(reinterpret_cast<uint64_t>(space.data()));
        meeting.uffd.store(uffd.release());
        while (!meeting.go.load()) sched_yield();
        run_writers(space.bytes(), writer_options(naive), meeting.result);
        return {};
    };
    const Status served = serve();
    if (!served) meeting.refusal.store(served.error().what);
    meeting.result.finished.store(true);
    std::_Exit(served ? 0 : 1);
}

// Forked before there is a device, which has threads: the child of a process with threads may not
// start any under ThreadSanitizer.
class Client {
public:
    Client(bool naive, Meeting& meeting) : pid_(::fork()) {
        if (pid_ == 0) run_client(naive, meeting);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() {
        if (!is_alive()) return;
        ::kill(pid_, SIGKILL);
        wait();
    }

    pid_t pid() const { return pid_; }
    bool is_alive() { return !ended_ && !(ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_); }
    int wait() {
        if (!ended_) ended_ = ::waitpid(pid_, &status_, 0) == pid_;
        return status_;
    }

private:
    pid_t pid_;
    bool ended_ = false;
    int status_ = 0;
};

void run_shared(FrameKind kind, bool naive, HostRung rung = HostRung::moves) {
    auto shared =
        Mapping::create(sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    ASSERT_TRUE(shared.has_value());
    Meeting& meeting = *new (shared->data()) Meeting;
    Client client(naive, meeting);
    auto device = SharedHostDevice::create({.frames = frames,
                                            .chunk_bytes = chunk_bytes,
                                            .block_bytes = block_bytes,
                                            .sessions = 1,
                                            .kind = kind,
                                            .features = limited_to(rung, probe_host_features())});
    if (!device) GTEST_SKIP() << device.error().what;
    const auto file = (*device)->make_space(SessionIndex{0}, chunks);
    ASSERT_TRUE(file.has_value()) << file.error().what;

    meeting.file.store(*file);
    while (meeting.uffd.load() < 0 && client.is_alive()) sched_yield();
    if (meeting.refusal.load()) GTEST_SKIP() << meeting.refusal.load();
    ASSERT_TRUE(client.is_alive());
    const Status attached = (*device)->attach(
        SessionIndex{0}, take_descriptor(client.pid(), meeting.uffd.load()), meeting.base.load());
    ASSERT_TRUE(attached.has_value()) << attached.error().what;
    NaiveDevice naive_device(**device);
    Device& used = naive ? static_cast<Device&>(naive_device) : **device;
    auto host = make_host(used, (*device)->event_fd());
    meeting.go.store(true);
    for (uint64_t ticket = 0; !meeting.result.finished.load() && client.is_alive(); ++ticket)
        host->evict_all(ticket);
    const int status = client.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
    judge(*host, meeting.result, naive);
}

TEST(LostWriteTest, SharedMemfdLosesNone) { run_shared(FrameKind::memfd, false); }
TEST(LostWriteTest, SharedTmpfsLosesNone) { run_shared(FrameKind::tmpfs, false); }
TEST(LostWriteTest, SharedOnTheBaseRungLosesNone) {
    run_shared(FrameKind::memfd, false, HostRung::base);
}
TEST(LostWriteTest, SharedNaiveOrderIsSeenToLose) { run_shared(FrameKind::memfd, true); }

}  // namespace
}  // namespace ciuic
