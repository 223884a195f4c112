// SPDX-License-Identifier: Apache-2.0
//
// Goal: whatever a real disk does, a program reads the bytes that it wrote last or is told that
// they are gone; and what was injected is what was reported.
// Method: a session whose store is a file on a disk with device mapper faults (faulty_disk). Chunks
// filled with words that tell chunk, generation and place; moved out, brought back, every word
// compared.
#include "tests/kernel_lab/faulty_disk.hpp"

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "ciuic/vmm.h"
#include "device/host/client_side.hpp"
#include "limits.hpp"
#include "store/swap_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace ciuic::test {
namespace {

constexpr uint64_t chunk_bytes = 2 * MiB;
constexpr uint32_t chunks = 24;
constexpr uint64_t budget_bytes = 32 * chunk_bytes;  // all fit: what moves out does so when asked
constexpr uint64_t store_bytes = 64 * chunk_bytes;
constexpr Nanos patience{300'000'000'000};  // an emulated disk behind an emulated processor

uint64_t word_of(uint32_t chunk, uint32_t generation, uint64_t offset_bytes) {
    return (uint64_t{chunk} + 1) << 48 | uint64_t{generation} << 32 | offset_bytes;
}

// An embedded session on the faulty disk, with one region.
class Program {
public:
    explicit Program(const std::string& store) {
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_EMBEDDED;
        options.store_path = store.c_str();
        options.budget_bytes = budget_bytes;
        options.store_bytes = store_bytes;
        EXPECT_EQ(ciuic_open(&options, &session_), CIUIC_OK) << ciuic_last_error_text();
        ciuic_region_options region{};
        region.struct_size = sizeof region;
        region.size_bytes = chunks * chunk_bytes;
        EXPECT_EQ(ciuic_region_create(session_, &region, &region_), CIUIC_OK);
    }
    ~Program() { EXPECT_EQ(ciuic_close(session_), CIUIC_OK); }

    ciuic_statistics stats() {
        ciuic_statistics statistics{};
        statistics.struct_size = sizeof statistics;
        EXPECT_EQ(ciuic_stats(session_, &statistics), CIUIC_OK);
        return statistics;
    }

    ciuic_status hold(uint32_t chunk, ciuic_access access) {
        const ciuic_range range = range_of(chunk, 1);
        return ciuic_acquire(session_, &range, 1, access, nullptr);
    }
    void let_go(uint32_t chunk) {
        const ciuic_range range = range_of(chunk, 1);
        EXPECT_EQ(ciuic_release(session_, &range, 1, nullptr), CIUIC_OK);
    }

    void fill(uint32_t generation) {
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
            ASSERT_EQ(hold(chunk, CIUIC_WRITE), CIUIC_OK) << chunk;
            uint64_t* const words = words_of(chunk);
            for (uint64_t offset = 0; offset < chunk_bytes; offset += 8)
                words[offset / 8] = word_of(chunk, generation, offset);
            let_go(chunk);
        }
    }

    // Asks for the eviction of everything; no chunk needs to go.
    void evict() {
        const ciuic_range range = range_of(0, chunks);
        ASSERT_EQ(ciuic_advise(session_, &range, 1, CIUIC_ADVICE_COLD), CIUIC_OK);
    }
    void evict_all() {
        evict();
        MonotonicClock clock;
        const Nanos deadline = clock.now() + patience;
        while (stats().device_bytes > 0) {
            ASSERT_LT(clock.now(), deadline) << stats().device_bytes << " bytes stay";
            std::this_thread::yield();
        }
    }

    // Brings every chunk back: intact or said to be lost. Returns the lost.
    std::vector<uint32_t> verify(uint32_t generation) {
        std::vector<uint32_t> lost;
        for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
            const ciuic_status held = hold(chunk, CIUIC_READ);
            if (held == CIUIC_E_DATA_LOST) {
                lost.push_back(chunk);
                continue;
            }
            EXPECT_EQ(held, CIUIC_OK) << chunk;
            EXPECT_TRUE(is_intact(chunk, generation)) << chunk;
            let_go(chunk);
        }
        return lost;
    }

private:
    static_assert(sizeof(uint64_t) == 8);
    ciuic_range range_of(uint32_t chunk, uint32_t count) const {
        return {region_, chunk * chunk_bytes, count * chunk_bytes};
    }
    uint64_t* words_of(uint32_t chunk) {
        return static_cast<uint64_t*>(ciuic_region_address(region_)) + chunk * chunk_bytes / 8;
    }
    bool is_intact(uint32_t chunk, uint32_t generation) {
        for (uint64_t offset = 0; offset < chunk_bytes; offset += 8)
            if (words_of(chunk)[offset / 8] != word_of(chunk, generation, offset)) return false;
        return true;
    }

    ciuic_session* session_ = nullptr;
    ciuic_region* region_ = nullptr;
};

class BlockFaultTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string refusal = FaultyDisk::refusal(); !refusal.empty())
            GTEST_SKIP() << refusal;
        disk_ = std::make_unique<FaultyDisk>();
        store_ = std::string(FaultyDisk::folder) + "/swap";
    }
    void TearDown() override {
        if (disk_) disk_->heal();
    }

    // All chunks written, moved out, and the store's blocks in the reach of faults.
    std::unique_ptr<Program> stored_program() {
        auto program = std::make_unique<Program>(store_);
        program->fill(1);
        program->evict_all();
        disk_->watch(store_);
        find_places();
        return program;
    }

    // Where the store has put each chunk: read from the file itself.
    void find_places() {
        const UniqueFd file(::open(store_.c_str(), O_RDONLY | O_CLOEXEC));
        for (uint64_t offset = 0; offset < store_bytes; offset += chunk_bytes) {
            uint64_t word = 0;
            ASSERT_EQ(::pread(file.get(), &word, sizeof word, static_cast<off_t>(offset)), 8);
            if (word >> 48 != 0) places_[static_cast<uint32_t>((word >> 48) - 1)] = offset;
        }
        ASSERT_EQ(places_.size(), chunks);
    }

    std::vector<FaultyDisk::Range> blocks_of(const std::vector<uint32_t>& victims) {
        std::vector<FaultyDisk::Range> ranges;
        // One sector of the chunk is enough, somewhere behind its first block.
        for (const uint32_t victim : victims)
            ranges.push_back({places_[victim] + 1 * MiB + victim * 4096, 4096});
        return ranges;
    }

    std::unique_ptr<FaultyDisk> disk_;
    std::string store_;
    std::map<uint32_t, uint64_t> places_;  // by chunk: its offset in the store
};

const std::vector<uint32_t> victims{2, 3, 11, 17, 23};

// Goal: unreadable sectors cost the chunks that they are in, each of them, and no other; and it
// stays so when the disk has recovered. Method: a sector of five chunks that fails every read.
TEST_F(BlockFaultTest, BadSectorsCostTheirChunksAndNoOther) {
    const auto program = stored_program();
    disk_->fault("error", blocks_of(victims));
    EXPECT_EQ(program->verify(1), victims);
    disk_->heal();
    EXPECT_EQ(program->verify(1), victims);
    const ciuic_statistics stats = program->stats();
    EXPECT_EQ(stats.chunks_lost, victims.size());
    EXPECT_EQ(stats.lost_bytes, victims.size() * chunk_bytes);
}

// Goal: bytes that changed on the disk, with no error, are found out, each of them. Method: one bit
// of five chunks is turned over where the disk keeps it.
TEST_F(BlockFaultTest, ChangedBytesAreNeverReturned) {
    const auto program = stored_program();
    for (const FaultyDisk::Range& block : blocks_of(victims))
        disk_->turn_a_bit(block.offset_bytes + 77);
    EXPECT_EQ(program->verify(1), victims);
    const ciuic_statistics stats = program->stats();
    EXPECT_EQ(stats.chunks_lost, victims.size());
    // Each is read again as often as the store may, in case the change was the transfer's.
    EXPECT_EQ(stats.tag_failures, victims.size() * (1 + limits::io_retries_max));
}

// Goal: a disk that drops writes and says that it wrote them gives no stale byte. Method: the
// second generation of every chunk is dropped; what is there is the first, whole and unharmed.
TEST_F(BlockFaultTest, DroppedWritesAreNeverReturnedAsOldBytes) {
    const auto program = stored_program();
    program->fill(2);
    disk_->fault("flakey {} 0 3600 1 drop_writes");
    program->evict_all();
    disk_->heal();
    EXPECT_EQ(program->verify(2).size(), chunks);
    EXPECT_EQ(program->stats().chunks_lost, chunks);
}

// Goal: refused writes lose nothing: the bytes stay where they are. Method: everything dirty, every
// write refused, asked to leave; then a disk that works.
TEST_F(BlockFaultTest, RefusedWritesLoseNothing) {
    const auto program = stored_program();
    program->fill(2);
    disk_->fault("flakey {} 0 3600 1 error_writes");
    program->evict();
    MonotonicClock clock;
    const Nanos deadline = clock.now() + patience;
    while (program->stats().write_failures < chunks) {
        ASSERT_LT(clock.now(), deadline) << program->stats().write_failures;
        std::this_thread::yield();
    }
    EXPECT_EQ(program->stats().device_bytes, chunks * chunk_bytes);
    EXPECT_TRUE(program->verify(2).empty());
    disk_->heal();
    program->fill(3);
    program->evict();
    EXPECT_TRUE(program->verify(3).empty());
    EXPECT_EQ(program->stats().chunks_lost, 0u);
}

// Goal: a disk that fails and recovers all the time: every chunk is right or lost, and as many are
// lost as are reported. Method: a second of errors in every three, while all goes out and in.
TEST_F(BlockFaultTest, AnUnsteadyDiskGivesRightBytesOrNone) {
    const auto program = stored_program();
    disk_->fault("flakey {} 2 1");
    std::vector<uint32_t> lost;
    for (int round = 0; round < 3; ++round) {
        program->evict();
        lost = program->verify(1);
    }
    disk_->heal();
    EXPECT_EQ(program->verify(1), lost);
    EXPECT_EQ(program->stats().chunks_lost, lost.size());
    std::printf("    %zu of %u chunks lost, %llu writes refused\n", lost.size(), chunks,
                static_cast<unsigned long long>(program->stats().write_failures));
}

// Goal: a slow disk loses nothing and nobody gives up. Method: half a second for each request.
TEST_F(BlockFaultTest, ASlowDiskIsOnlySlow) {
    const auto program = stored_program();
    disk_->fault("delay {} 500");
    program->fill(2);
    program->evict_all();
    EXPECT_TRUE(program->verify(2).empty());
    EXPECT_EQ(program->stats().chunks_lost, 0u);
    EXPECT_EQ(program->stats().write_failures, 0u);
}

// A daemon on the faulty disk.
class DaemonFaultTest : public BlockFaultTest {
protected:
    void TearDown() override {
        if (daemon_ > 0) {
            ::kill(daemon_, SIGKILL);
            ::waitpid(daemon_, nullptr, 0);
        }
        BlockFaultTest::TearDown();
    }

    void start_daemon() {
        int ends[2] = {-1, -1};
        ASSERT_EQ(::pipe(ends), 0);
        UniqueFd reader(ends[0]);
        UniqueFd writer(ends[1]);
        const std::string ready = std::to_string(writer.get());
        daemon_ = ::fork();
        if (daemon_ == 0) {
            ::execl(CIUIC_BIN_DIR "/ciuic-swapd", "ciuic-swapd", "--socket", "/tmp/s", "--store",
                    store_.c_str(), "--store-size", "128MiB", "--budget", "64MiB", "--report",
                    "/tmp/r.json", "--ready-fd", ready.c_str(), nullptr);
            ::_exit(127);
        }
        writer.reset();
        char byte = 0;
        ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
    }
    std::string stop_daemon() {
        ::kill(daemon_, SIGTERM);
        int status = 0;
        EXPECT_EQ(::waitpid(daemon_, &status, 0), daemon_);
        daemon_ = 0;
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        std::stringstream text;
        text << std::ifstream("/tmp/r.json").rdbuf();
        return text.str();
    }

    // Fills, moves out, tells the parent, waits for its word, touches a word of every chunk.
    [[noreturn]] static void run_client(int said, int heard) {
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_DAEMON;
        options.socket_path = "/tmp/s";
        ciuic_session* session = nullptr;
        void* memory = nullptr;
        if (ciuic_open(&options, &session) != CIUIC_OK) ::_exit(1);
        if (ciuic_alloc(session, chunks * chunk_bytes, &memory) != CIUIC_OK) ::_exit(2);
        volatile uint64_t* const words = static_cast<uint64_t*>(memory);
        for (uint32_t chunk = 0; chunk < chunks; ++chunk)
            words[chunk * chunk_bytes / 8] = word_of(chunk, 1, 0);
        const ciuic_range range{nullptr, reinterpret_cast<uint64_t>(memory), chunks * chunk_bytes};
        if (ciuic_advise(session, &range, 1, CIUIC_ADVICE_COLD) != CIUIC_OK) ::_exit(3);
        ciuic_statistics stats{};
        do {
            stats.struct_size = sizeof stats;
            if (ciuic_stats(session, &stats) != CIUIC_OK) ::_exit(4);
        } while (stats.device_bytes > 0);
        char byte = 'f';
        if (::write(said, &byte, 1) != 1 || ::read(heard, &byte, 1) != 1) ::_exit(5);
        for (uint32_t chunk = 0; chunk < chunks; ++chunk)
            if (words[chunk * chunk_bytes / 8] != word_of(chunk, 1, 0)) ::_exit(6);
        ::_exit(0);
    }

    pid_t daemon_ = 0;
};

// Goal: a program of a daemon that touches what is lost dies, and neither waits for ever nor reads
// anything else; the daemon serves on. Method: one bad chunk; then a second program with none.
TEST_F(DaemonFaultTest, TouchingWhatIsLostIsLoud) {
    start_daemon();
    for (const bool bad : {true, false}) {
        int said[2] = {-1, -1};
        int heard[2] = {-1, -1};
        ASSERT_TRUE(::pipe(said) == 0 && ::pipe(heard) == 0);
        const pid_t client = ::fork();
        if (client == 0) run_client(said[1], heard[0]);
        char byte = 0;
        ::close(said[1]);
        ASSERT_EQ(::read(said[0], &byte, 1), 1);
        disk_->watch(store_);
        places_.clear();
        find_places();
        if (bad) disk_->fault("error", {{places_[7], 4096}});
        ASSERT_EQ(::write(heard[1], &byte, 1), 1);
        int status = 0;
        ASSERT_EQ(::waitpid(client, &status, 0), client);
        disk_->heal();
        const bool died =
            WIFSIGNALED(status) && (WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV);
        const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        EXPECT_TRUE(bad ? died : well) << status;
        for (const int fd : {said[0], heard[0], heard[1]}) ::close(fd);
    }
    const std::string report = stop_daemon();
    EXPECT_NE(report.find("chunks_lost\": 1"), std::string::npos) << report;
    const bool has_poison = probe_host_features().poison;
    EXPECT_NE(report.find(has_poison ? "unanswerable\": 0" : "unanswerable\": 1"),
              std::string::npos)
        << report;
}

// The first life: one write to the file's first chunk, handed to the kernel and never waited for.
[[noreturn]] void write_and_wait_for_death(const std::string& path, int said) {
    MonotonicClock clock;
    const auto file = open_swap_file({path, store_bytes, limits::fence_deadline}, clock);
    void* bytes = nullptr;
    io_uring ring;
    if (!file || ::posix_memalign(&bytes, 4096, 4096) != 0 ||
        ::io_uring_queue_init(4, &ring, 0) != 0)
        ::_exit(1);
    std::memset(bytes, 'a', 4096);
    io_uring_sqe* const entry = ::io_uring_get_sqe(&ring);
    ::io_uring_prep_write(entry, file->io.get(), bytes, 4096, 0);
    char byte = ::io_uring_submit(&ring) == 1 ? 'y' : 'n';
    if (::write(said, &byte, 1) == 1) ::pause();
    ::_exit(1);
}

class FenceTest : public BlockFaultTest {
protected:
    static constexpr uint64_t block_bytes = 4096;

    // A store of an earlier life, whose disk takes four seconds for a write, and a process that was
    // killed while one of its own was under way.
    void leave_a_stray_write() {
        MonotonicClock clock;
        ASSERT_TRUE(open_swap_file({store_, store_bytes, limits::fence_deadline}, clock));
        // Both blocks have been written, so that writing them again changes nothing else.
        for (const uint64_t offset : {uint64_t{0}, chunk_bytes}) write_through(offset, '0');
        disk_->watch(store_);
        disk_->fault("delay {} 0 {} 4000");
        int ends[2] = {-1, -1};
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t writer = ::fork();
        if (writer == 0) write_and_wait_for_death(store_, ends[1]);
        char byte = 0;
        ASSERT_EQ(::read(ends[0], &byte, 1), 1);
        ASSERT_EQ(byte, 'y');
        // What the kernel has not handed to the disk yet dies with its process.
        const Nanos deadline = clock.now() + patience;
        while (FaultyDisk::writes_under_way() == 0) {
            ASSERT_LT(clock.now(), deadline);
            std::this_thread::yield();
        }
        ::kill(writer, SIGKILL);
        ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
        ::close(ends[0]);
        ::close(ends[1]);
    }

    // A write by the file. When it has ended, so has every one that was handed over before it.
    void write_through(uint64_t offset_bytes, char letter) {
        write_block(store_.c_str(), offset_bytes, letter);
    }
    // The next owner's write, by a way on which it overtakes those.
    void write_at_once(char letter) {
        write_block(FaultyDisk::raw_device(), disk_->raw_offset_bytes(0), letter);
    }
    char first_byte() {
        const UniqueFd file(::open(store_.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
        EXPECT_EQ(::pread(file.get(), block_, block_bytes, 0), ssize_t{block_bytes});
        return block_[0];
    }

private:
    void write_block(const char* path, uint64_t offset_bytes, char letter) {
        const UniqueFd file(::open(path, O_WRONLY | O_DIRECT | O_CLOEXEC));
        std::memset(block_, letter, block_bytes);
        ASSERT_EQ(::pwrite(file.get(), block_, block_bytes, static_cast<off_t>(offset_bytes)),
                  ssize_t{block_bytes});
    }

    alignas(block_bytes) char block_[block_bytes];
};

// Goal: the danger is real: a dead process's write lands on what its successor has written. Method:
// a successor that asks for no lock, writes, and looks again when the dead one's write has landed.
TEST_F(FenceTest, WithoutItADeadProcessWritesOverItsSuccessor) {
    leave_a_stray_write();
    write_at_once('b');
    EXPECT_EQ(first_byte(), 'b');
    write_through(chunk_bytes, 'c');
    EXPECT_EQ(first_byte(), 'a');
}

// Goal: behind the fence it cannot. Method: the same, by a successor that opens the store as every
// incarnation does.
TEST_F(FenceTest, WithItTheSuccessorWritesLast) {
    leave_a_stray_write();
    MonotonicClock clock;
    const auto file = open_swap_file({store_, store_bytes, limits::fence_deadline}, clock);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(first_byte(), 'a');  // it has landed
    write_at_once('b');
    write_through(chunk_bytes, 'c');
    EXPECT_EQ(first_byte(), 'b');
}

}  // namespace
}  // namespace ciuic::test
