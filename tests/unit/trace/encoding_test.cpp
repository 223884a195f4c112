// SPDX-License-Identifier: Apache-2.0
#include "trace/encoding.hpp"

#include <gtest/gtest.h>

namespace ciuic::trace {
namespace {

TEST(TraceEncoding, NumbersComeBack) {
    for (int shift = 0; shift < 64; ++shift) {
        for (const uint64_t value : {uint64_t{1} << shift, (uint64_t{1} << shift) - 1}) {
            std::byte bytes[varint_bytes_max];
            const size_t size = put_varint(bytes, value);
            ASSERT_LE(size, varint_bytes_max);
            std::span<const std::byte> rest(bytes, size);
            EXPECT_EQ(take_varint(rest), value);
            EXPECT_TRUE(rest.empty());
            for (size_t cut = 0; cut < size; ++cut) {
                std::span<const std::byte> part(bytes, cut);
                EXPECT_FALSE(take_varint(part));
            }
            const auto number = static_cast<int64_t>(value);
            EXPECT_EQ(unzigzag(zigzag(number)), number);
            EXPECT_EQ(unzigzag(zigzag(~number)), ~number);
        }
    }
}

TEST(TraceEncoding, ANumberOfMoreThan64BitsIsNone) {
    std::byte bytes[varint_bytes_max];
    ASSERT_EQ(put_varint(bytes, UINT64_MAX), varint_bytes_max);
    bytes[9] = std::byte{2};
    std::span<const std::byte> rest(bytes);
    EXPECT_FALSE(take_varint(rest));
    bytes[9] = std::byte{0x81};
    rest = bytes;
    EXPECT_FALSE(take_varint(rest));
}

}  // namespace
}  // namespace ciuic::trace
