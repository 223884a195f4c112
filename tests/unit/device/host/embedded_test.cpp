// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded.hpp"

#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>

namespace ciuic::test {
namespace {

constexpr uint32_t frames = 2;
constexpr uint32_t chunks = 4;

// Pins memory as direct I/O does, for as long as it lives.
class Pin {
public:
    Pin(std::byte* data, size_t length_bytes) {
        io_uring_params parameters{};
        ring_ = UniqueFd(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters)));
        iovec range{data, length_bytes};
        holds_ = ring_ && ::syscall(SYS_io_uring_register, ring_.get(), IORING_REGISTER_BUFFERS,
                                    &range, 1) == 0;
    }
    bool holds() const { return holds_; }
    void release() {
        ::syscall(SYS_io_uring_register, ring_.get(), IORING_UNREGISTER_BUFFERS, nullptr, 0);
    }

private:
    UniqueFd ring_;
    bool holds_ = false;
};

// Linux 6.14 on x86-64 and others: a page table that is left empty goes with madvise.
bool frees_page_tables() {
    utsname system{};
    int major = 0;
    int minor = 0;
    if (::uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2)
        return false;
    return major > 6 || (major == 6 && minor >= 14);
}

class EmbeddedTest : public testing::TestWithParam<uint64_t> {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(HostRung::moves); !refusal.empty())
            GTEST_SKIP() << refusal;
        arena_ = map(frames);
        space_ = map(chunks);
        if (chunk_bytes() >= 2 * MiB) ::madvise(arena_.data(), arena_.size_bytes(), MADV_HUGEPAGE);
        std::fill(arena_.bytes().begin(), arena_.bytes().end(), std::byte{0xee});
        pieces_ = map(1);
        std::fill(pieces_.bytes().begin(), pieces_.bytes().end(), std::byte{0xee});
        create();
    }

    void create() {
        auto created = EmbeddedHostDevice::create({.arena = arena_.bytes(),
                                                   .space = space_.bytes(),
                                                   .chunk_bytes = chunk_bytes(),
                                                   .pieces = pieces_.bytes(),
                                                   .piece_bytes = chunk_bytes() / 16});
        ASSERT_TRUE(created.has_value()) << created.error().what;
        device_ = *std::move(created);
    }

    static uint64_t chunk_bytes() { return GetParam(); }
    static Mapping map(uint64_t chunks) {
        return *Mapping::create_aligned(chunks * chunk_bytes(), 2 * MiB, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS);
    }
    static ChunkRef ref(uint32_t chunk) { return {SessionIndex{0}, ChunkIndex{chunk}}; }
    std::span<std::byte> shown(uint32_t chunk) {
        return space_.bytes().subspan(chunk * chunk_bytes(), chunk_bytes());
    }

    void show(uint32_t chunk, uint32_t frame, std::byte fill) {
        const Result<std::span<std::byte>> bytes = device_->open(ref(chunk), FrameIndex{frame});
        ASSERT_TRUE(bytes.has_value());
        std::fill(bytes->begin(), bytes->end(), fill);
        const Status revealed =
            device_->reveal(ref(chunk), FrameIndex{frame}, 0, chunk_bytes(), true);
        ASSERT_TRUE(revealed.has_value()) << revealed.error().what;
    }

    bool all_are(std::span<const std::byte> bytes, std::byte wanted) {
        return std::all_of(bytes.begin(), bytes.end(),
                           [wanted](std::byte byte) { return byte == wanted; });
    }

    const uint64_t page_bytes_ = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    Mapping arena_;
    Mapping space_;
    Mapping pieces_;
    std::unique_ptr<EmbeddedHostDevice> device_;
};

// Goal: pages that the program discarded are zeros in the frame, and the others keep their bytes.
// Method: two pages of a shown chunk, apart from each other.
TEST_P(EmbeddedTest, DiscardedPagesAreZeros) {
    show(1, 0, std::byte{7});
    for (const uint64_t page : {3u, 9u})
        ASSERT_EQ(::madvise(shown(1).data() + page * page_bytes_, page_bytes_, MADV_DONTNEED), 0);
    Result<std::span<std::byte>> bytes = device_->conceal(ref(1), FrameIndex{0});
    ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
    for (uint64_t page = 0; page < chunk_bytes() / page_bytes_; ++page) {
        const std::byte wanted{static_cast<uint8_t>(page == 3 || page == 9 ? 0 : 7)};
        EXPECT_TRUE(all_are(bytes->subspan(page * page_bytes_, page_bytes_), wanted)) << page;
    }
}

// Goal: a chunk that the kernel has pinned is busy and stays as it was, with all its pages; when
// the pin is gone it can be taken. Method: a pin on one page in the middle.
TEST_P(EmbeddedTest, PinnedChunkIsBusyAndUnchanged) {
    show(0, 1, std::byte{5});
    Pin pin(shown(0).data() + 8 * page_bytes_, page_bytes_);
    if (!pin.holds()) GTEST_SKIP() << "io_uring does not pin memory here";
    const Result<std::span<std::byte>> busy = device_->conceal(ref(0), FrameIndex{1});
    ASSERT_FALSE(busy.has_value());
    EXPECT_EQ(busy.error().code, Errc::busy);
    EXPECT_TRUE(all_are(shown(0), std::byte{5}));
    pin.release();
    const Result<std::span<std::byte>> bytes = device_->conceal(ref(0), FrameIndex{1});
    ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
    EXPECT_TRUE(all_are(*bytes, std::byte{5}));
}

// Goal: close() always gives the frame back, whole, and never leaves the program its old bytes.
// Method: a pinned chunk, and one that the program made partly read-only (MOVE refuses both).
TEST_P(EmbeddedTest, CloseTakesTheFrameEvenByForce) {
    for (const bool pinned : {true, false}) {
        show(2, 0, std::byte{9});
        std::unique_ptr<Pin> pin;
        if (pinned) pin = std::make_unique<Pin>(shown(2).data() + page_bytes_, page_bytes_);
        const int protection = pinned ? PROT_READ | PROT_WRITE : PROT_READ;
        ASSERT_EQ(::mprotect(shown(2).data() + 4 * page_bytes_, page_bytes_, protection), 0);
        device_->close(ref(2), FrameIndex{0});
        ASSERT_EQ(::mprotect(shown(2).data(), chunk_bytes(), PROT_READ | PROT_WRITE), 0);
        std::vector<unsigned char> present(chunk_bytes() / page_bytes_);
        ASSERT_EQ(::mincore(shown(2).data(), chunk_bytes(), present.data()), 0);
        EXPECT_TRUE(
            std::none_of(present.begin(), present.end(), [](auto page) { return page & 1; }));
        show(3, 0, std::byte{4});
        EXPECT_TRUE(all_are(shown(3), std::byte{4}));
        device_->close(ref(3), FrameIndex{0});
    }
}

// Goal: huge pages stay huge however often they move and are faulted on, or every later move costs
// 50 times as much. Method: fault, show, conceal, close, with writes and reads, and (where the
// kernel frees page tables) with a piece there before; then the kernel's account of the arena.
TEST_P(EmbeddedTest, HugePagesStayWhole) {
    if (chunk_bytes() < 2 * MiB) GTEST_SKIP() << "small chunks have small pages";
    const auto huge_kib = [this] {
        std::FILE* smaps = std::fopen("/proc/self/smaps", "re");
        char line[256];
        uint64_t begin = 0;
        uint64_t end = 0;
        uint64_t kib = 0;
        uint64_t sum = 0;
        const auto arena = reinterpret_cast<uint64_t>(arena_.data());
        while (std::fgets(line, sizeof line, smaps)) {
            if (std::sscanf(line, "%lx-%lx ", &begin, &end) == 2) continue;
            if (begin < arena + arena_.size_bytes() && end > arena &&
                std::sscanf(line, "AnonHugePages: %lu", &kib) == 1)
                sum += kib;
        }
        std::fclose(smaps);
        return sum;
    };
    const uint64_t before = huge_kib();
    if (before * KiB < arena_.size_bytes()) GTEST_SKIP() << "no huge pages for the arena";
    for (uint32_t round = 0; round < 8; ++round) {
        std::thread toucher([place = shown(round % chunks).data(), writes = round % 2 == 0] {
            volatile std::byte* byte = place;
            if (writes)
                *byte = std::byte{1};
            else
                (void)*byte;
        });
        pollfd event{device_->event_fd(), POLLIN, 0};
        EXPECT_EQ(::poll(&event, 1, 20'000), 1);
        DeviceEvent fault;
        EXPECT_EQ(device_->drain({&fault, 1}), 1u);
        if (round >= 4 && frees_page_tables()) {
            const PieceRef piece{ref(round % chunks), 3, PieceIndex{round}};
            ASSERT_TRUE(device_->pieces()->open(piece).has_value());
            ASSERT_TRUE(device_->pieces()->reveal(piece).has_value());
            device_->pieces()->close(piece);
        }
        show(round % chunks, round % frames, std::byte{1});
        toucher.join();
        EXPECT_TRUE(device_->conceal(ref(round % chunks), FrameIndex{round % frames}).has_value());
        device_->close(ref(round % chunks), FrameIndex{round % frames});
    }
    EXPECT_EQ(huge_kib(), before);
}

// Goal: neither a forked child nor a program whose device is gone ever reads zeros for data.
// Method: a child's memory map; a touch after detach and after destruction.
TEST_P(EmbeddedTest, NobodyReadsZeros) {
    show(0, 0, std::byte{6});
    EXPECT_FALSE(child_inherits(space_));
    EXPECT_FALSE(child_inherits(arena_));
    device_->close(ref(0), FrameIndex{0});
    device_->detach(SessionIndex{0});
    const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
    EXPECT_EQ(::write(sink.get(), shown(0).data(), 1), -1);
    device_.reset();
    ASSERT_EQ(::mprotect(space_.data(), space_.size_bytes(), PROT_READ | PROT_WRITE), 0);
    create();
    device_.reset();
    EXPECT_EQ(::write(sink.get(), shown(0).data(), 1), -1);
    EXPECT_EQ(errno, EFAULT);
}

// Goal: who waits when the session ends is woken and fails loudly. Method: a write(2) from the
// space on another thread.
TEST_P(EmbeddedTest, DetachWakesTheWaiting) {
    ssize_t written = 0;
    std::thread toucher([&, place = shown(0).data()] {
        const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
        written = ::write(sink.get(), place, 1);
    });
    pollfd event{device_->event_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&event, 1, 20'000), 1);
    device_->detach(SessionIndex{0});
    toucher.join();
    EXPECT_EQ(written, -1);
}

// Goal: a mix-up of the engine stops the program before it costs data. Method: a frame given twice,
// a chunk revealed with another's frame, restored while shown, a session detached while in use.
TEST_P(EmbeddedTest, MixedUpFramesAreABug) {
    show(0, 0, std::byte{1});
    EXPECT_DEATH((void)device_->open(ref(1), FrameIndex{0}), "broken invariant");
    EXPECT_DEATH((void)device_->conceal(ref(1), FrameIndex{0}), "broken invariant");
    EXPECT_DEATH((void)device_->restore(ref(0), FrameIndex{0}, true), "broken invariant");
    EXPECT_DEATH(device_->detach(SessionIndex{0}), "broken invariant");
}

// Goal: memory that does not fit is refused. Method: misaligned, not whole, an odd chunk size.
TEST_P(EmbeddedTest, RefusesSenselessOptions) {
    const EmbeddedHostOptions good{
        .arena = arena_.bytes(), .space = space_.bytes(), .chunk_bytes = chunk_bytes()};
    for (int which = 0; which < 7; ++which) {
        EmbeddedHostOptions bad = good;
        if (which == 0) bad.arena = {};
        if (which == 1) bad.space = bad.space.subspan(page_bytes_);
        if (which == 2) bad.space = bad.space.first(bad.space.size() - page_bytes_);
        if (which == 3) bad.chunk_bytes = 3 * chunk_bytes();
        if (which >= 4) bad.pieces = pieces_.bytes();
        if (which == 4) bad.piece_bytes = 2 * chunk_bytes();
        if (which == 5) bad.piece_bytes = page_bytes_ / 2;
        if (which == 6) bad.piece_bytes = 0;
        EXPECT_EQ(EmbeddedHostDevice::create(bad).error().code, Errc::invalid) << which;
    }
}

INSTANTIATE_TEST_SUITE_P(Chunks, EmbeddedTest, testing::Values(64 * KiB, 2 * MiB),
                         [](const auto& info) {
                             return info.param == 2 * MiB ? "Of2MiB" : "Of64KiB";
                         });

}  // namespace
}  // namespace ciuic::test
