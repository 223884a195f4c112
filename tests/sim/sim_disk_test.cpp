// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_disk.hpp"

#include "limits.hpp"
#include "tests/sim/sim_clock.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ciuic::sim {
namespace {

constexpr uint64_t granule = limits::granule_bytes;
constexpr uint32_t granules = 4;

// Every buffer belongs to chunk 7 of life 1.
class OneOwner final : public FrameOwners {
public:
    Owner owner_of(const std::byte*) const override { return {1, 7}; }
    bool is_shown(std::span<const std::byte>) const override { return false; }
    bool count_read_fault(const std::byte*) override {
        if (knows_buffers) ++read_faults;
        return knows_buffers;
    }
    uint32_t read_faults = 0;
    bool knows_buffers = true;
};

class SimDiskTest : public testing::Test {
protected:
    SimDiskTest() {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        options.capacity_bytes = 16 * granules * granule;
        options.depth = 4;
    }

    SimDisk make() { return SimDisk(options, clock, Random(1), &owner, trace); }

    static IoRequest request(IoOp op, std::span<std::byte> data, uint64_t token) {
        return {op, 2 * granules * granule, data.data(), static_cast<uint32_t>(data.size()), token};
    }

    // Runs the disk until one result is there.
    int64_t finish(SimDisk& disk) {
        disk.flush();
        std::array<IoResult, 1> results;
        for (uint32_t turn = 0; turn < 1000; ++turn) {
            if (disk.drain(results) == 1) return results[0].result;
            disk.step();
        }
        return 0;
    }

    SimDiskOptions options;
    SimClock clock;
    OneOwner owner;
    Trace trace;
    alignas(granule) std::array<std::byte, granules * granule> out{};
    alignas(granule) std::array<std::byte, granules * granule> in{};
};

// Goal: a disk without faults keeps what was written. Method: write, read into another buffer.
TEST_F(SimDiskTest, KeepsWhatWasWritten) {
    SimDisk disk = make();
    out.fill(std::byte{5});
    ASSERT_TRUE(disk.submit(request(IoOp::write, out, 1)));
    EXPECT_EQ(finish(disk), static_cast<int64_t>(out.size()));
    ASSERT_TRUE(disk.submit(request(IoOp::read, in, 2)));
    EXPECT_EQ(finish(disk), static_cast<int64_t>(in.size()));
    EXPECT_EQ(in, out);
    EXPECT_FALSE(disk.is_damaged({1, 7}));
}

// Goal: a buffer is the disk's until the result: a change in between may or may not reach the
// medium. Method: change the buffer after each step; the medium must hold parts of both.
TEST_F(SimDiskTest, OwnsBuffersUntilTheResult) {
    SimDisk disk = make();
    out.fill(std::byte{1});
    ASSERT_TRUE(disk.submit(request(IoOp::write, out, 1)));
    disk.flush();
    EXPECT_TRUE(disk.reads_from(out));
    ASSERT_TRUE(disk.step());
    out.fill(std::byte{2});
    finish(disk);
    EXPECT_FALSE(disk.reads_from(out));
    ASSERT_TRUE(disk.submit(request(IoOp::read, in, 2)));
    EXPECT_TRUE(disk.writes_to(in));
    finish(disk);
    uint32_t first = 0;
    for (uint32_t index = 0; index < granules; ++index)
        if (in[index * granule] == std::byte{1}) ++first;
    EXPECT_EQ(first, 1u);
}

// Goal: damage is told by no result, and known to the disk until the place is written well.
// Method: torn, then misdirected writes only; then a disk that has stopped its faults.
TEST_F(SimDiskTest, RemembersSilentDamage) {
    options.damages_max = 100;
    for (uint32_t SimDiskOptions::*kind :
         {&SimDiskOptions::torn_chance, &SimDiskOptions::misdirected_chance}) {
        options.torn_chance = options.misdirected_chance = 0;
        options.*kind = chance_base;
        SimDisk disk = make();
        out.fill(std::byte{5});
        ASSERT_TRUE(disk.submit(request(IoOp::write, out, 1)));
        EXPECT_EQ(finish(disk), static_cast<int64_t>(out.size()));
        EXPECT_TRUE(disk.is_damaged({1, 7}));
        EXPECT_FALSE(disk.is_damaged({2, 7}));
        disk.stop_faults();
        ASSERT_TRUE(disk.submit(request(IoOp::write, out, 2)));
        finish(disk);
        // A misdirected write has also damaged what may have been its own neighbour.
        ASSERT_TRUE(disk.submit(request(IoOp::read, in, 3)));
        finish(disk);
        EXPECT_EQ(in, out);
    }
}

// Goal: errors and short transfers are told, and disturbed reads are counted for the frame.
// Method: a disk that always errs, and one that is always short.
TEST_F(SimDiskTest, TellsErrorsAndShortTransfers) {
    options.error_chance = chance_base;
    SimDisk refusing = make();
    ASSERT_TRUE(refusing.submit(request(IoOp::read, in, 1)));
    EXPECT_EQ(finish(refusing), -EIO);
    EXPECT_EQ(owner.read_faults, 1u);
    options.error_chance = 0;
    options.short_chance = chance_base;
    SimDisk shortening = make();
    ASSERT_TRUE(shortening.submit(request(IoOp::read, in, 1)));
    const int64_t moved = finish(shortening);
    EXPECT_GT(moved, 0);
    EXPECT_LT(moved, static_cast<int64_t>(in.size()));
}

// Goal: reads into buffers that are no frame's are counted at the place, until one succeeds.
// Method: a disk that errs, then no more.
TEST_F(SimDiskTest, CountsDisturbedReadsThatGoThroughABuffer) {
    owner.knows_buffers = false;
    options.error_chance = chance_base;
    options.write_errors_max = 0;
    SimDisk disk = make();
    ASSERT_TRUE(disk.submit(request(IoOp::write, out, 1)));
    ASSERT_EQ(finish(disk), static_cast<int64_t>(out.size()));
    for (uint32_t tries = 0; tries <= limits::io_retries_max; ++tries) {
        EXPECT_FALSE(disk.is_unreadable({1, 7}));
        ASSERT_TRUE(disk.submit(request(IoOp::read, in, 2)));
        ASSERT_EQ(finish(disk), -EIO);
    }
    EXPECT_TRUE(disk.is_unreadable({1, 7}));
    EXPECT_FALSE(disk.is_unreadable({1, 8}));
    EXPECT_TRUE(disk.was_disturbed({1, 7}));
    EXPECT_FALSE(disk.was_disturbed({1, 8}));
    disk.stop_faults();
    ASSERT_TRUE(disk.submit(request(IoOp::read, in, 3)));
    ASSERT_EQ(finish(disk), static_cast<int64_t>(in.size()));
    EXPECT_FALSE(disk.is_unreadable({1, 7}));
    EXPECT_TRUE(disk.was_disturbed({1, 7}));
    ASSERT_TRUE(disk.submit(request(IoOp::write, out, 4)));
    ASSERT_EQ(finish(disk), static_cast<int64_t>(out.size()));
    EXPECT_FALSE(disk.was_disturbed({1, 7}));
}

// Goal: a late request keeps its buffer until it is cancelled or its time has come. Method: make
// every request late; nothing ends before the clock moves or cancel() is called.
TEST_F(SimDiskTest, WithholdsLateResults) {
    options.late_chance = chance_base;
    options.late_max = Nanos{1'000'000'000};
    SimDisk disk = make();
    ASSERT_TRUE(disk.submit(request(IoOp::read, in, 1)));
    EXPECT_EQ(finish(disk), 0);
    EXPECT_TRUE(disk.writes_to(in));
    disk.cancel(1);
    const int64_t result = finish(disk);
    EXPECT_TRUE(result == -ECANCELED || result == static_cast<int64_t>(in.size())) << result;
    EXPECT_FALSE(disk.writes_to(in));
}

// Goal: a wrong request is our own bug and is named. Method: misaligned, outside, token in use.
TEST_F(SimDiskTest, RefusesWrongRequests) {
    SimDisk disk = make();
    IoRequest wrong = request(IoOp::read, in, 1);
    wrong.offset_bytes += 512;
    EXPECT_DEATH((void)disk.submit(wrong), "not aligned");
    wrong.offset_bytes = options.capacity_bytes;
    EXPECT_DEATH((void)disk.submit(wrong), "leaves the file");
    ASSERT_TRUE(disk.submit(request(IoOp::read, in, 1)));
    EXPECT_DEATH((void)disk.submit(request(IoOp::read, in, 1)), "token is in use");
}

}  // namespace
}  // namespace ciuic::sim
