// SPDX-License-Identifier: Apache-2.0
//
// What every adapter of the I/O port promises (io/io.hpp), as a typed suite.
//
// A rig provides:  static constexpr uint64_t file_bytes;  the size of its file, all zeros at first
//                  std::string refusal() const;           why it cannot run here, or empty
//                  void open(uint32_t depth);             a fresh adapter on a fresh file
//                  Io& io();
//                  void wait();                           returns once drain() would give something
// Instantiate with INSTANTIATE_TYPED_TEST_SUITE_P(Name, IoContract, Rig).
#pragma once

#include "base/mapping.hpp"
#include "base/random.hpp"
#include "base/units.hpp"
#include "io/io.hpp"
#include "limits.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace ciuic::test {

template <typename Rig> class IoContract : public testing::Test {
protected:
    static constexpr uint64_t block_bytes = 16 * KiB;
    static constexpr uint32_t depth = 8;

    void SetUp() override {
        rig_.open(depth);
        if (const std::string refusal = rig_.refusal(); !refusal.empty()) GTEST_SKIP() << refusal;
        buffers_ = *Mapping::create(depth * block_bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS);
    }

    Io& io() { return rig_.io(); }
    std::span<std::byte> buffer(uint64_t index) {
        return buffers_.bytes().subspan(index * block_bytes, block_bytes);
    }

    Status submit(IoOp op, uint64_t offset_bytes, std::span<std::byte> data, uint64_t token) {
        return io().submit({.op = op,
                            .offset_bytes = offset_bytes,
                            .data = data.data(),
                            .length_bytes = static_cast<uint32_t>(data.size()),
                            .token = token});
    }

    // The next result, waited for.
    IoResult next() {
        IoResult result;
        io().flush();
        while (io().drain({&result, 1}) == 0) rig_.wait();
        return result;
    }

    int64_t transfer(IoOp op, uint64_t offset_bytes, std::span<std::byte> data) {
        EXPECT_TRUE(submit(op, offset_bytes, data, 1).has_value());
        return next().result;
    }

    bool is_readable() {
        pollfd event{io().event_fd(), POLLIN, 0};
        return ::poll(&event, 1, 0) == 1;
    }

    Rig rig_;
    Mapping buffers_;
};

TYPED_TEST_SUITE_P(IoContract);

inline void fill(std::span<std::byte> data, uint64_t seed) {
    Random random(seed);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random.next());
}

// Goal: bytes come back from where they were put and nowhere else. Method: three blocks written in
// one go, read back in the opposite order, and the block behind them still zero.
TYPED_TEST_P(IoContract, ReadsBackWhatWasWritten) {
    for (uint64_t block = 0; block < 3; ++block) {
        fill(this->buffer(block), block);
        ASSERT_TRUE(
            this->submit(IoOp::write, block * this->block_bytes, this->buffer(block), block));
    }
    for (int results = 0; results < 3; ++results)
        ASSERT_EQ(this->next().result, static_cast<int64_t>(this->block_bytes));

    std::vector<std::byte> wanted(this->block_bytes);
    for (uint64_t block = 3; block-- > 0;) {
        const std::span<std::byte> read = this->buffer(4);
        ASSERT_EQ(this->transfer(IoOp::read, block * this->block_bytes, read),
                  static_cast<int64_t>(this->block_bytes));
        fill(wanted, block);
        EXPECT_TRUE(std::equal(read.begin(), read.end(), wanted.begin())) << block;
    }
    ASSERT_GT(this->transfer(IoOp::read, 3 * this->block_bytes, this->buffer(5)), 0);
    for (const std::byte byte : this->buffer(5)) ASSERT_EQ(byte, std::byte{0});
}

// Goal: the bound on requests holds until a result is drained, not until the disk is done.
// Method: fill the depth, wait for results, one more; drain one, one more again.
TYPED_TEST_P(IoContract, RefusesMoreThanItsDepth) {
    ASSERT_EQ(this->io().depth(), this->depth);
    for (uint64_t token = 0; token < this->depth; ++token)
        ASSERT_TRUE(this->submit(IoOp::read, 0, this->buffer(token), token));
    this->io().flush();
    this->rig_.wait();
    const Status refused = this->submit(IoOp::read, 0, this->buffer(0), 99);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Errc::busy);

    const IoResult first = this->next();
    EXPECT_TRUE(this->submit(IoOp::read, 0, this->buffer(first.token), 99));
    for (uint32_t results = 0; results < this->depth; ++results) this->next();
}

// Goal: a token is any 64-bit number and comes back once. Method: the numbers an adapter is likely
// to use for itself.
TYPED_TEST_P(IoContract, GivesEveryTokenBackOnce) {
    const std::set<uint64_t> tokens = {0, 1, ~uint64_t{0}, ~uint64_t{0} - 1, uint64_t{1} << 63, 42};
    uint64_t buffer = 0;
    for (const uint64_t token : tokens)
        ASSERT_TRUE(this->submit(IoOp::read, 0, this->buffer(buffer++), token));
    std::set<uint64_t> seen;
    while (seen.size() < tokens.size()) EXPECT_TRUE(seen.insert(this->next().token).second);
    EXPECT_EQ(seen, tokens);
    IoResult none;
    EXPECT_EQ(this->io().drain({&none, 1}), 0u);
}

// Goal: the owner can sleep on event_fd(): readable while results wait, silent otherwise. Method:
// three requests drained one by one, with a look before and after each; twice, since an event
// that is not reset shows in the second round.
TYPED_TEST_P(IoContract, EventIsReadableWhileResultsWait) {
    for (int round = 0; round < 2; ++round) {
        EXPECT_FALSE(this->is_readable());
        for (uint64_t token = 0; token < 3; ++token)
            ASSERT_TRUE(this->submit(IoOp::read, 0, this->buffer(token), token));
        this->io().flush();
        for (int results = 0; results < 3; ++results) {
            this->rig_.wait();
            EXPECT_TRUE(this->is_readable());
            IoResult result;
            ASSERT_EQ(this->io().drain({&result, 1}), 1u);
        }
        EXPECT_FALSE(this->is_readable());
    }
}

// Goal: reads at and behind the end of the file are short, not errors and not waits. Method: a
// read that straddles the end, one that begins there, one far behind.
TYPED_TEST_P(IoContract, ReadsShortAtTheEnd) {
    const uint64_t end = TypeParam::file_bytes;
    EXPECT_EQ(this->transfer(IoOp::read, end - 2 * limits::granule_bytes, this->buffer(0)),
              static_cast<int64_t>(2 * limits::granule_bytes));
    EXPECT_EQ(this->transfer(IoOp::read, end, this->buffer(0)), 0);
    EXPECT_EQ(this->transfer(IoOp::read, end + MiB, this->buffer(0)), 0);
}

// Goal: a cancelled request still gives exactly one result, and a cancel hits nothing else.
// Method: cancel every other request right after submission, and tokens that are not in flight;
// then the same tokens serve again.
TYPED_TEST_P(IoContract, CancelledRequestStillGivesOneResult) {
    for (int round = 0; round < 50; ++round) {
        for (uint64_t token = 0; token < this->depth; ++token)
            ASSERT_TRUE(this->submit(IoOp::read, 0, this->buffer(token), token));
        for (uint64_t token = 0; token < this->depth; token += 2) this->io().cancel(token);
        this->io().cancel(1000);
        std::set<uint64_t> seen;
        while (seen.size() < this->depth) {
            const IoResult result = this->next();
            EXPECT_TRUE(seen.insert(result.token).second) << result.token;
            const bool was_cancelled = result.token % 2 == 0 && result.result == -ECANCELED;
            EXPECT_TRUE(was_cancelled || result.result == static_cast<int64_t>(this->block_bytes))
                << result.result;
        }
    }
    // What a cancel leaves behind may wake the owner once, for nothing.
    IoResult none;
    EXPECT_EQ(this->io().drain({&none, 1}), 0u);
    EXPECT_FALSE(this->is_readable());
}

// Goal: many requests at once keep their bytes apart. Method: random reads and writes, each block
// and each buffer in one request at a time, against a shadow of the file.
TYPED_TEST_P(IoContract, AgreesWithAShadowOverRandomRequests) {
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Random random(seed);
    constexpr uint64_t blocks = TypeParam::file_bytes / TestFixture::block_bytes;
    std::vector<uint64_t> shadow(blocks, 0);  // what each block was filled with; 0: zeros
    std::map<uint64_t, std::pair<IoOp, uint64_t>> in_flight;  // buffer = token -> op, block
    std::set<uint64_t> busy_blocks;
    std::vector<std::byte> wanted(TestFixture::block_bytes);

    uint64_t started = 0;
    while (started < 1500 || !in_flight.empty()) {
        const bool full = in_flight.size() == this->depth;
        if (started < 1500 && !full && (in_flight.empty() || random.chance(2, 3))) {
            const uint64_t block = random.below(blocks);
            if (!busy_blocks.insert(block).second) continue;
            uint64_t token = 0;
            while (in_flight.contains(token)) ++token;
            const IoOp op = random.chance(1, 2) ? IoOp::read : IoOp::write;
            if (op == IoOp::write) {
                shadow[block] = random.next();
                fill(this->buffer(token), shadow[block]);
            }
            ASSERT_TRUE(this->submit(op, block * this->block_bytes, this->buffer(token), token));
            in_flight[token] = {op, block};
            ++started;
            continue;
        }
        const IoResult result = this->next();
        const auto [op, block] = in_flight.at(result.token);
        ASSERT_EQ(result.result, static_cast<int64_t>(this->block_bytes));
        if (op == IoOp::read) {
            std::fill(wanted.begin(), wanted.end(), std::byte{0});
            if (shadow[block] != 0) fill(wanted, shadow[block]);
            const std::span<std::byte> read = this->buffer(result.token);
            ASSERT_TRUE(std::equal(read.begin(), read.end(), wanted.begin())) << block;
        }
        in_flight.erase(result.token);
        busy_blocks.erase(block);
    }
}

REGISTER_TYPED_TEST_SUITE_P(IoContract, ReadsBackWhatWasWritten, RefusesMoreThanItsDepth,
                            GivesEveryTokenBackOnce, EventIsReadableWhileResultsWait,
                            ReadsShortAtTheEnd, CancelledRequestStillGivesOneResult,
                            AgreesWithAShadowOverRandomRequests);

}  // namespace ciuic::test
