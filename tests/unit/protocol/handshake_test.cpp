// SPDX-License-Identifier: Apache-2.0
#include "protocol/handshake.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace ciuic {
namespace {

template <typename T> Errc verdict(const T& message, size_t length_bytes = sizeof(T)) {
    return check_message(std::as_bytes(std::span(&message, 1)), length_bytes,
                         {T::kind, T::flags_known})
        .error()
        .code;
}

// Goal: a message is what its kind says, byte for byte. Method: a good one, then one fault each in
// every field of the header; the same for a message that came short or long.
TEST(Handshake, RefusesEveryWrongHeader) {
    wire::Welcome good;
    good.header.flags = wire::Welcome::flag_userfaultfd;
    EXPECT_EQ(verdict(good), Errc::ok);
    for (const size_t length : {size_t{0}, size_t{15}, sizeof good - 1, sizeof good + 1})
        EXPECT_EQ(verdict(good, length), Errc::invalid) << length;
    wire::Welcome bad = good;
    bad.header.magic ^= 1;
    EXPECT_EQ(verdict(bad), Errc::invalid);
    bad = good;
    bad.header.version = wire::version + 1;
    EXPECT_EQ(verdict(bad), Errc::version);
    EXPECT_EQ(verdict(bad, 16), Errc::version);
    bad = good;
    bad.header.kind = wire::MessageKind::hello;
    EXPECT_EQ(verdict(bad), Errc::invalid);
    bad = good;
    ++bad.header.size_bytes;
    EXPECT_EQ(verdict(bad), Errc::invalid);
    bad = good;
    bad.header.flags |= 2;
    EXPECT_EQ(verdict(bad), Errc::invalid);
    const std::array<std::byte, 3> stub{};
    EXPECT_EQ(check_message(stub, 100, {}).error().code, Errc::invalid);
}

// Goal: no number of a peer becomes an error that there is not; above all not `ok`. Method: 256 has
// the low byte of ok.
TEST(Handshake, ForeignErrorsAreNeverOk) {
    EXPECT_EQ(errc_of(0), Errc::ok);
    EXPECT_EQ(errc_of(static_cast<uint32_t>(Errc::version)), Errc::version);
    EXPECT_EQ(errc_of(static_cast<uint32_t>(Errc::version) + 1), Errc::invalid);
    EXPECT_EQ(errc_of(256), Errc::invalid);
    EXPECT_EQ(check_welcome({.status = 256}, 4).error().code, Errc::invalid);
    EXPECT_EQ(check_started({.status = 256}, 0).error().code, Errc::invalid);
    EXPECT_EQ(check_started({.status = 3}, 0).error().code, Errc::no_memory);
}

// Goal: a name can harm no terminal and is terminated. Method: every byte there is, in names that
// fill their field.
TEST(Handshake, NamesArePrintable) {
    for (int first = 1; first < 256; ++first) {
        std::array<char, 32> name;
        name.fill(static_cast<char>(first));
        const PrintableName text = printable_name(name);
        ASSERT_EQ(std::strlen(text.data()), 32u);
        for (const char letter : std::span(text).first(32))
            ASSERT_TRUE(letter >= ' ' && letter <= '~') << first;
    }
    EXPECT_STREQ(printable_name({'a', 'b', '\0', 'c'}).data(), "ab");
}

// Goal: descriptors are counted, and a Welcome is believed only within the limits. Method: one
// number wrong at a time.
TEST(Handshake, CountsDescriptorsAndBoundsNumbers) {
    EXPECT_TRUE(check_hello({}, 0));
    EXPECT_FALSE(check_hello({}, 1));
    EXPECT_TRUE(check_ready({}, 1));
    EXPECT_FALSE(check_ready({}, 0));
    EXPECT_FALSE(check_ready({}, 2));
    EXPECT_TRUE(check_started({}, 0));
    EXPECT_FALSE(check_started({}, 1));
    const wire::Welcome good{.address_chunks = 8, .chunk_bytes = 2 * MiB};
    EXPECT_TRUE(check_welcome(good, 4));
    EXPECT_FALSE(check_welcome(good, 3));
    EXPECT_FALSE(check_welcome(good, 5));
    wire::Welcome bad = good;
    bad.header.flags = wire::Welcome::flag_userfaultfd;
    EXPECT_TRUE(check_welcome(bad, 5));
    EXPECT_FALSE(check_welcome(bad, 4));
    for (const uint64_t chunk_bytes : {uint64_t{0}, 3 * MiB, 32 * KiB, 128 * MiB}) {
        bad = good;
        bad.chunk_bytes = chunk_bytes;
        EXPECT_FALSE(check_welcome(bad, 4)) << chunk_bytes;
    }
    for (const uint32_t chunks : {0u, limits::session_chunks_max + 1}) {
        bad = good;
        bad.address_chunks = chunks;
        EXPECT_FALSE(check_welcome(bad, 4)) << chunks;
    }
    for (const Errc refusal : {Errc::version, Errc::no_memory, Errc::busy}) {
        bad = good;
        bad.status = static_cast<uint32_t>(refusal);
        EXPECT_EQ(check_welcome(bad, 0).error().code, refusal);
    }
}

}  // namespace
}  // namespace ciuic
