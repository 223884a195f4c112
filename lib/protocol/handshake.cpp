// SPDX-License-Identifier: Apache-2.0
#include "protocol/handshake.hpp"

#include <cstring>

namespace ciuic {

Status check_message(std::span<const std::byte> message, size_t length_bytes,
                     const ExpectedMessage& expected) {
    wire::MessageHeader header;
    if (length_bytes < sizeof header || message.size() < sizeof header)
        return Error{Errc::invalid, 0, "the message is too short"};
    std::memcpy(&header, message.data(), sizeof header);
    if (header.magic != wire::magic)
        return Error{Errc::invalid, 0, "the other end does not speak Ciuic's protocol"};
    if (header.version != wire::version)
        return Error{Errc::version, 0, "the other end speaks another version of the protocol"};
    if (header.kind != expected.kind || header.size_bytes != message.size() ||
        length_bytes != message.size() || (header.flags & ~expected.flags_known) != 0)
        return Error{Errc::invalid, 0, "the message is not the one expected here"};
    return {};
}

Errc errc_of(uint32_t word) {
    constexpr auto last = static_cast<uint32_t>(Errc::version);
    return word <= last ? static_cast<Errc>(word) : Errc::invalid;
}

PrintableName printable_name(const std::array<char, 32>& name) {
    PrintableName text{};
    for (size_t index = 0; index < name.size() && name[index] != '\0'; ++index)
        text[index] = name[index] >= ' ' && name[index] <= '~' ? name[index] : '?';
    return text;
}

Status check_hello(const wire::Hello&, uint32_t fds) {
    if (fds != 0) return Error{Errc::invalid, 0, "a Hello carries no descriptors"};
    return {};
}

// What base_address and the descriptor are worth, only the device can tell.
Status check_ready(const wire::Ready&, uint32_t fds) {
    if (fds != 1) return Error{Errc::invalid, 0, "a Ready carries one descriptor"};
    return {};
}

Status check_welcome(const wire::Welcome& welcome, uint32_t fds) {
    switch (const Errc status = errc_of(welcome.status)) {
    case Errc::ok: break;
    case Errc::version:
        return Error{Errc::version, 0,
                     "the daemon speaks another version of the protocol; update the older of both"};
    case Errc::no_memory:
        return Error{Errc::no_memory, 0, "the daemon has no room for another session"};
    default: return Error{status, 0, "the daemon refuses the session; its log says why"};
    }
    const bool has_device = (welcome.header.flags & wire::Welcome::flag_userfaultfd) != 0;
    if (fds != wire::welcome_fds_min + (has_device ? 1 : 0) ||
        !is_power_of_two(welcome.chunk_bytes) || welcome.chunk_bytes < limits::chunk_bytes_min ||
        welcome.chunk_bytes > limits::chunk_bytes_max || welcome.address_chunks == 0 ||
        welcome.address_chunks > limits::session_chunks_max)
        return Error{Errc::invalid, 0, "the daemon's Welcome makes no sense"};
    return {};
}

Status check_started(const wire::Started& started, uint32_t fds) {
    if (const Errc status = errc_of(started.status); status != Errc::ok)
        return Error{status, 0, "the daemon cannot page this process; its log says why"};
    if (fds != 0) return Error{Errc::invalid, 0, "a Started carries no descriptors"};
    return {};
}

}  // namespace ciuic
