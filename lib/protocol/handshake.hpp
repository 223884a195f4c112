// SPDX-License-Identifier: Apache-2.0
//
// The checks of the handshake's messages: bytes in, a verdict out. No system call, so that a
// fuzzer can ask them a million times a second.
//
// A message has been copied out of the socket once (socket.hpp); what is checked here is that copy.
//
// Not here: sending and receiving, what is done about a verdict (daemon/, client/).
// Threads: any; nothing is kept. No heap: the client's half runs inside strangers' processes.
#pragma once

#include "base/result.hpp"
#include "protocol/wire.hpp"

#include <array>
#include <span>

namespace ciuic {

struct ExpectedMessage {
    wire::MessageKind kind{};
    uint32_t flags_known = 0;
};

// `length_bytes`: of the message as it was sent, of which `message` holds as much as it has room
// for. Errors: version (the header is one of another version; nothing else of the message is
// known), invalid.
Status check_message(std::span<const std::byte> message, size_t length_bytes,
                     const ExpectedMessage& expected);

// What a peer gave as an Errc; a number that is none counts as invalid.
Errc errc_of(uint32_t word);

// What the client sent as its name, as text that can stand in a report or on a terminal.
using PrintableName = std::array<char, 33>;
PrintableName printable_name(const std::array<char, 32>& name);

// The daemon's: `fds` is how many descriptors came with the message.
Status check_hello(const wire::Hello& hello, uint32_t fds);
Status check_ready(const wire::Ready& ready, uint32_t fds);

// The client's. Errors: also what the daemon gave as its reason.
Status check_welcome(const wire::Welcome& welcome, uint32_t fds);
Status check_started(const wire::Started& started, uint32_t fds);

}  // namespace ciuic
