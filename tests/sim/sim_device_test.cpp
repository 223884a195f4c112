// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_device.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ciuic::sim {
namespace {

constexpr uint64_t block = 4096;
constexpr ChunkRef chunk{SessionIndex{0}, ChunkIndex{3}};
constexpr FrameIndex frame{2};

class SimDeviceTest : public testing::Test {
protected:
    SimDeviceTest() {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        options.traits = {.name = "sim",
                          .frame_kind = "bytes",
                          .frames = 8,
                          .chunk_bytes = 2 * block,
                          .reveal_bytes = block,
                          .sees_writes = true,
                          .opens_zeroed = true};
        options.sessions = 2;
        options.chunks = 8;
    }

    SimDevice make() {
        SimDevice device(options, Random(1), trace);
        device.attach(chunk.session, 1, options.chunks);
        return device;
    }

    void show(SimDevice& device, bool writable) {
        ASSERT_TRUE(device.open(chunk, frame));
        ASSERT_TRUE(device.reveal(chunk, frame, 0, 2 * block, writable));
    }

    SimDeviceOptions options;
    Trace trace;
};

// Uses all memory there is, in one of the two ways.
class Busy final : public FrameUsers {
public:
    bool writes_to(std::span<const std::byte>) const override { return writes; }
    bool reads_from(std::span<const std::byte>) const override { return reads; }
    bool writes = false;
    bool reads = false;
};

// Goal: a program sees exactly what was revealed, block by block. Method: go through the states.
TEST_F(SimDeviceTest, ShowsWhatWasRevealed) {
    SimDevice device = make();
    EXPECT_EQ(device.access(chunk, 0, false), Access::missing);
    ASSERT_TRUE(device.open(chunk, frame));
    EXPECT_EQ(device.access(chunk, 0, false), Access::missing);
    ASSERT_TRUE(device.reveal(chunk, frame, block, block, false));
    EXPECT_TRUE(device.is_part_shown(chunk));
    EXPECT_EQ(device.access(chunk, 0, false), Access::missing);
    EXPECT_EQ(device.access(chunk, block, false), Access::granted);
    EXPECT_EQ(device.access(chunk, block, true), Access::write);
    ASSERT_TRUE(device.reveal(chunk, frame, 0, 2 * block, true));
    EXPECT_EQ(device.access(chunk, 0, true), Access::granted);
    ASSERT_TRUE(device.conceal(chunk, frame));
    EXPECT_EQ(device.access(chunk, 0, false), Access::granted);
    EXPECT_EQ(device.access(chunk, 0, true), Access::write);
    ASSERT_TRUE(device.restore(chunk, frame, true));
    EXPECT_EQ(device.access(chunk, 0, true), Access::granted);
    device.close(chunk, frame);
    EXPECT_EQ(device.access(chunk, 0, false), Access::missing);
}

// Goal: the embedded kind takes the bytes away whole, and lets every shown chunk be written.
// Method: the same calls on such a device.
TEST_F(SimDeviceTest, EmbeddedKindConcealsReads) {
    options.traits.sees_writes = options.traits.opens_zeroed = false;
    options.conceals_reads = true;
    SimDevice device = make();
    show(device, false);
    EXPECT_EQ(device.access(chunk, 0, true), Access::granted);
    ASSERT_TRUE(device.conceal(chunk, frame));
    EXPECT_EQ(device.access(chunk, 0, false), Access::missing);
    ASSERT_TRUE(device.restore(chunk, frame, false));
    EXPECT_EQ(device.access(chunk, 0, true), Access::granted);
}

// Goal: a waiting thread is woken where and when its place changes, and its event is given once.
// Method: report faults at both blocks, reveal one.
TEST_F(SimDeviceTest, WakesWhoeverWaitsThere) {
    SimDevice device = make();
    device.report(chunk, 0, false, Access::missing);
    device.report(chunk, block, true, Access::missing);
    std::array<DeviceEvent, 4> events;
    ASSERT_EQ(device.drain(events), 2u);
    EXPECT_EQ(device.drain(events), 0u);
    ASSERT_TRUE(device.open(chunk, frame));
    ASSERT_TRUE(device.reveal(chunk, frame, block, block, true));
    EXPECT_EQ(device.wakes(chunk, 0), 0u);
    EXPECT_EQ(device.wakes(chunk, block), 1u);
    device.close(chunk, frame);
    EXPECT_EQ(device.wakes(chunk, 0), 1u);
}

// Goal: the state diagram of the port holds. Method: calls that it does not allow.
TEST_F(SimDeviceTest, StopsAtIllegalCalls) {
    SimDevice device = make();
    EXPECT_DEATH((void)device.reveal(chunk, frame, 0, block, true), "neither opened nor shown");
    EXPECT_DEATH(device.close(chunk, frame), "has no frame");
    ASSERT_TRUE(device.open(chunk, frame));
    EXPECT_DEATH((void)device.conceal(chunk, frame), "not shown");
    EXPECT_DEATH((void)device.open(chunk, frame), "not closed");
    EXPECT_DEATH((void)device.open({chunk.session, ChunkIndex{4}}, frame), "in use");
    EXPECT_DEATH((void)device.restore(chunk, frame, true), "not concealed");
    EXPECT_DEATH(device.detach(chunk.session), "still has a frame");
    EXPECT_DEATH((void)device.reveal(chunk, FrameIndex{1}, 0, block, true), "has frame 2");
    ASSERT_TRUE(device.reveal(chunk, frame, 0, 2 * block, true));
    EXPECT_DEATH((void)device.poison(chunk), "shown or concealed");
    EXPECT_DEATH((void)device.open_part(chunk, frame, 0, block), "is open already");
}

// Goal: a frame never changes hands under a transfer or a job. Method: claim its bytes are in use.
TEST_F(SimDeviceTest, StopsWhenBytesAreInUse) {
    SimDevice device = make();
    Busy disk;
    device.watch(&disk, nullptr, nullptr);
    ASSERT_TRUE(device.open(chunk, frame));
    disk.reads = true;
    EXPECT_DEATH(device.close(chunk, frame), "in use by the disk");
    disk.reads = false;
    disk.writes = true;
    EXPECT_DEATH((void)device.reveal(chunk, frame, 0, block, true), "in use by the disk");
}

// Goal: poison fails accesses until it is lifted, and a dead program's calls end with
// disconnected. Method: poison, show, kill.
TEST_F(SimDeviceTest, PoisonsAndDisconnects) {
    SimDevice device = make();
    ASSERT_TRUE(device.poison(chunk));
    EXPECT_EQ(device.access(chunk, 0, false), Access::failed);
    show(device, true);
    EXPECT_EQ(device.access(chunk, 0, false), Access::granted);
    device.kill(chunk.session);
    Errc last = Errc::ok;
    for (uint32_t tries = 0; tries < 64 && last != Errc::disconnected; ++tries)
        last = device.allow_write(chunk, frame).error().code;
    EXPECT_EQ(last, Errc::disconnected);
    EXPECT_EQ(device.allow_write(chunk, frame).error().code, Errc::disconnected);
}

}  // namespace
}  // namespace ciuic::sim
