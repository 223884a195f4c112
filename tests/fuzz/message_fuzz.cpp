// SPDX-License-Identifier: Apache-2.0
//
// Messages: the bytes and the number of descriptors of one, as either end takes them from the
// socket. What is believed must be what the checks promise.
//
//   byte 0   which message is expected (2 bits), descriptors that came with it (3 bits)
//   byte 1   bytes that the message was longer than the receiver's room
//   the rest the message
#include "base/check.hpp"
#include "protocol/handshake.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <cstring>

namespace ciuic::fuzz {
namespace {

template <typename T> bool receive(std::span<const uint8_t> bytes, size_t surplus, T& message) {
    std::memset(static_cast<void*>(&message), 0, sizeof message);
    const size_t copied = std::min(bytes.size(), sizeof message);
    std::memcpy(static_cast<void*>(&message), bytes.data(), copied);
    const Status status = check_message(std::as_bytes(std::span(&message, 1)),
                                        bytes.size() + surplus, {T::kind, T::flags_known});
    if (!status) return false;
    CIUIC_CHECK(bytes.size() + surplus == sizeof message);
    CIUIC_CHECK(message.header.magic == wire::magic && message.header.version == wire::version);
    CIUIC_CHECK(message.header.kind == T::kind && message.header.size_bytes == sizeof message);
    CIUIC_CHECK((message.header.flags & ~T::flags_known) == 0);
    return true;
}

void on_hello(const wire::Hello& hello, uint32_t fds) {
    const PrintableName name = printable_name(hello.name);
    CIUIC_CHECK(name.back() == '\0');
    for (const char letter : std::span(name).first(std::strlen(name.data())))
        CIUIC_CHECK(letter >= ' ' && letter <= '~');
    CIUIC_CHECK(check_hello(hello, fds).has_value() == (fds == 0));
}

void on_welcome(const wire::Welcome& welcome, uint32_t fds) {
    const Status status = check_welcome(welcome, fds);
    if (!status) {
        CIUIC_CHECK(status.error().code != Errc::ok);
        return;
    }
    CIUIC_CHECK(welcome.status == 0 && fds >= wire::welcome_fds_min);
    // Every later multiplication of the client is below this.
    const uint64_t space_bytes = welcome.address_chunks * welcome.chunk_bytes;
    CIUIC_CHECK(space_bytes / welcome.chunk_bytes == welcome.address_chunks);
    CIUIC_CHECK(space_bytes <= limits::session_chunks_max * limits::chunk_bytes_max);
    CIUIC_CHECK(wire::ClientLayout::size_bytes(welcome.address_chunks) < GiB);
}

void take(uint8_t which, uint32_t fds, size_t surplus, std::span<const uint8_t> bytes) {
    wire::Hello hello;
    wire::Welcome welcome;
    wire::Ready ready;
    wire::Started started;
    switch (which) {
    case 0:
        if (receive(bytes, surplus, hello)) on_hello(hello, fds);
        break;
    case 1:
        if (receive(bytes, surplus, welcome)) on_welcome(welcome, fds);
        break;
    case 2:
        if (receive(bytes, surplus, ready))
            CIUIC_CHECK(check_ready(ready, fds).has_value() == (fds == 1));
        break;
    default:
        if (receive(bytes, surplus, started))
            CIUIC_CHECK(check_started(started, fds).has_value() ==
                        (fds == 0 && started.status == 0));
    }
}

}  // namespace
}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ++ciuic::fuzz::inputs;
    if (size < 2) return 0;
    ciuic::fuzz::take(data[0] & 3, data[0] >> 2 & 7, data[1], {data + 2, size - 2});
    return 0;
}
