// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded_file.hpp"

#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace ciuic::test {
namespace {

constexpr uint32_t frames = 2;
constexpr uint32_t chunks = 4;
constexpr uint64_t chunk_bytes = 64 * KiB;

class EmbeddedFileTest : public testing::TestWithParam<HostRung> {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(GetParam()); !refusal.empty())
            GTEST_SKIP() << refusal;
        space_ = *Mapping::create_aligned(chunks * chunk_bytes, 2 * MiB, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        create();
    }

    EmbeddedFileOptions options() {
        return {.space = space_.bytes(),
                .frames = frames,
                .chunk_bytes = chunk_bytes,
                .block_bytes = 4 * KiB,
                .kind = FrameKind::memfd,
                .features = limited_to(GetParam(), probe_host_features())};
    }
    void create() {
        auto created = EmbeddedFileDevice::create(options());
        ASSERT_TRUE(created.has_value()) << created.error().what;
        device_ = *std::move(created);
    }

    static ChunkRef ref(uint32_t chunk) { return {SessionIndex{0}, ChunkIndex{chunk}}; }
    std::span<std::byte> shown(uint32_t chunk) {
        return space_.bytes().subspan(chunk * chunk_bytes, chunk_bytes);
    }
    void show(uint32_t chunk, uint32_t frame, std::byte fill) {
        const Result<std::span<std::byte>> bytes = device_->open(ref(chunk), FrameIndex{frame});
        ASSERT_TRUE(bytes.has_value());
        std::fill(bytes->begin(), bytes->end(), fill);
        ASSERT_TRUE(device_->reveal(ref(chunk), FrameIndex{frame}, 0, chunk_bytes, true));
    }
    // write(2) from the chunk: a failure is a number, not a signal.
    int write_from(uint32_t chunk) {
        const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
        return ::write(sink.get(), shown(chunk).data(), 1) == 1 ? 0 : errno;
    }
    bool wait_readable() {
        pollfd event{device_->event_fd(), POLLIN, 0};
        return ::poll(&event, 1, 20'000) == 1;
    }

    Mapping space_;
    std::unique_ptr<EmbeddedFileDevice> device_;
};

// Goal: it says what it is, and single blocks are shown only where writes are seen. Method: traits.
TEST_P(EmbeddedFileTest, SaysWhatItIs) {
    const DeviceTraits& traits = device_->traits();
    EXPECT_STREQ(traits.name, "host-embedded");
    EXPECT_STREQ(traits.rung, rung_name(GetParam()));
    EXPECT_EQ(traits.sees_writes, GetParam() >= HostRung::protects);
    EXPECT_EQ(traits.reveal_bytes, traits.sees_writes ? 4 * KiB : chunk_bytes);
    EXPECT_EQ(device_->pieces(), nullptr);
}

// Goal: the pager never waits for itself. Method: bytes of a concealed chunk that the program has
// discarded from its own view, read by the pager.
TEST_P(EmbeddedFileTest, PagerReadsWhatTheProgramDiscarded) {
    show(1, 0, std::byte{7});
    const Result<std::span<std::byte>> bytes = device_->conceal(ref(1), FrameIndex{0});
    ASSERT_TRUE(bytes.has_value());
    ASSERT_EQ(::madvise(shown(1).data(), chunk_bytes, MADV_DONTNEED), 0);
    EXPECT_TRUE(std::all_of(bytes->begin(), bytes->end(),
                            [](std::byte byte) { return byte == std::byte{7}; }));
    device_->close(ref(1), FrameIndex{0});
}

// Goal: poison is an error on every rung, for whoever waits already too; lifted, the chunk serves
// again, and neighbours never noticed. Method: a waiter, a late comer, a neighbour.
TEST_P(EmbeddedFileTest, PoisonNeverHangsAndNeverReadsZeros) {
    show(0, 0, std::byte{3});
    int waiter = 0;
    std::thread toucher([&] { waiter = write_from(1); });
    EXPECT_TRUE(wait_readable());
    ASSERT_TRUE(device_->poison(ref(1)));
    toucher.join();
    EXPECT_EQ(waiter, EFAULT);
    EXPECT_EQ(write_from(1), EFAULT);
    EXPECT_EQ(write_from(0), 0);
    device_->unpoison(ref(1));
    show(1, 1, std::byte{4});
    EXPECT_EQ(write_from(1), 0);
    EXPECT_EQ(shown(1).back(), std::byte{4});
}

// Goal: neither a forked child nor a program whose device is gone ever reads zeros for data; who
// waits when the session ends is woken. Method: a child's memory map; touches at both ends.
TEST_P(EmbeddedFileTest, NobodyReadsZeros) {
    EXPECT_FALSE(child_inherits(space_));
    int waiter = 0;
    std::thread toucher([&] { waiter = write_from(2); });
    EXPECT_TRUE(wait_readable());
    device_->detach(SessionIndex{0});
    toucher.join();
    EXPECT_EQ(waiter, EFAULT);
    device_.reset();
    create();
    show(0, 0, std::byte{6});
    device_.reset();
    EXPECT_EQ(write_from(0), EFAULT);
}

// Goal: a space that does not fit is refused. Method: none, misaligned, not whole, no frames.
TEST_P(EmbeddedFileTest, RefusesSenselessOptions) {
    for (int which = 0; which < 4; ++which) {
        EmbeddedFileOptions bad = options();
        if (which == 0) bad.space = {};
        if (which == 1) bad.space = bad.space.subspan(chunk_bytes);
        if (which == 2) bad.space = bad.space.first(bad.space.size() - 4 * KiB);
        if (which == 3) bad.frames = 0;
        EXPECT_EQ(EmbeddedFileDevice::create(bad).error().code, Errc::invalid) << which;
    }
}

INSTANTIATE_TEST_SUITE_P(Rungs, EmbeddedFileTest,
                         testing::Values(HostRung::base, HostRung::protects, HostRung::poisons),
                         [](const auto& info) { return rung_name(info.param); });

// Goal: below the ladder there is one clear line. Method: a kernel without minor faults.
TEST(EmbeddedFileRefusal, NamesTheKernelThatIsNeeded) {
    if (const std::string refusal = userfault_refusal(HostRung::base); !refusal.empty())
        GTEST_SKIP() << refusal;
    const Mapping space = *Mapping::create_aligned(chunk_bytes, 2 * MiB, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS);
    const auto refused =
        EmbeddedFileDevice::create({.space = space.bytes(),
                                    .frames = 1,
                                    .chunk_bytes = chunk_bytes,
                                    .block_bytes = chunk_bytes,
                                    .features = limited_to(HostRung::none, probe_host_features())});
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_NE(std::string(refused.error().what).find("Linux 6.1"), std::string::npos);
}

}  // namespace
}  // namespace ciuic::test
