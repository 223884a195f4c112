// SPDX-License-Identifier: Apache-2.0
#include "protocol/wire.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace ciuic::wire {
namespace {

// Goal: the layout is what docs/protocol.md says, for every number of chunks. Method: the offsets
// computed by hand, and the properties that a mapping needs.
TEST(Wire, LayoutsArePagesThatDoNotOverlap) {
    EXPECT_EQ(EngineLayout::statistics_offset, 4096u);
    EXPECT_EQ(EngineLayout::states_offset, 8192u);
    EXPECT_EQ(EngineLayout::size_bytes(1), 12288u);
    EXPECT_EQ(EngineLayout::size_bytes(1024), 12288u);
    EXPECT_EQ(EngineLayout::size_bytes(1025), 16384u);
    EXPECT_EQ(ClientLayout::ring_offset, 4096u);
    EXPECT_EQ(ClientLayout::pins_offset, 4096u + 256 * 32);
    EXPECT_EQ(ClientLayout::size_bytes(1), 16384u);
    EXPECT_EQ(ClientLayout::size_bytes(limits::session_chunks_max), 12288u + 4 * MiB);
}

// Goal: messages of another version can be told apart before anything else of them is known.
// Method: the first bytes of a message as they lie in memory.
TEST(Wire, EveryMessageStartsWithMagicAndVersion) {
    const Hello hello;
    const Welcome welcome;
    for (const void* message :
         {static_cast<const void*>(&hello), static_cast<const void*>(&welcome)}) {
        uint32_t found_magic = 0;
        uint16_t found_version = 0;
        std::memcpy(&found_magic, message, 4);
        std::memcpy(&found_version, static_cast<const char*>(message) + 4, 2);
        EXPECT_EQ(found_magic, magic);
        EXPECT_EQ(found_version, version);
    }
    EXPECT_EQ(hello.header.size_bytes, 56u);
    EXPECT_EQ(hello.header.kind, MessageKind::hello);
    EXPECT_EQ(Ready{}.header.size_bytes, 24u);
    EXPECT_EQ(Attach{}.header.size_bytes, 24u);
}

}  // namespace
}  // namespace ciuic::wire
