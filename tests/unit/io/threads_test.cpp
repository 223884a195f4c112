// SPDX-License-Identifier: Apache-2.0
//
// What only the thread pool can get wrong; tests/contract/io_contract has the rest.
#include "io/threads.hpp"

#include "base/unique_fd.hpp"
#include "limits.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cerrno>

namespace ciuic {
namespace {

// Goal: a refusal of the file arrives as its errno under the request's token, and each direction
// uses its own call. Method: a read and a write of a descriptor opened for reading only.
TEST(ThreadIo, ReportsErrnoPerRequest) {
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file);
    auto io = *ThreadIo::create(file.get(), 2);
    std::array<std::byte, 16> bytes{};
    for (const IoOp op : {IoOp::read, IoOp::write})
        ASSERT_TRUE(io->submit({.op = op,
                                .offset_bytes = 0,
                                .data = bytes.data(),
                                .length_bytes = bytes.size(),
                                .token = static_cast<uint64_t>(op)}));
    for (int results = 0; results < 2; ++results) {
        IoResult result;
        while (io->drain({&result, 1}) == 0) {
            pollfd event{io->event_fd(), POLLIN, 0};
            ::poll(&event, 1, -1);
        }
        const bool was_read = result.token == static_cast<uint64_t>(IoOp::read);
        EXPECT_EQ(result.result, was_read ? 16 : -EBADF);
    }
}

// Goal: a depth that no pool is made for is refused. Method: both ends.
TEST(ThreadIo, RefusesDepthsOutOfBounds) {
    for (const uint32_t depth : {0u, limits::io_depth_max + 1})
        EXPECT_EQ(ThreadIo::create(0, depth).error().code, Errc::invalid);
}

}  // namespace
}  // namespace ciuic
