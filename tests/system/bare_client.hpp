// SPDX-License-Identifier: Apache-2.0
//
// A client that speaks the bare protocol, without the client library, and a pipe to tell it what to
// do. It runs in a child process of its test.
//
// Threads: one.
#pragma once

#include "device/host/client_side.hpp"
#include "protocol/request_ring.hpp"
#include "protocol/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

namespace ciuic::test {

// All of it is open to tests whose client breaks the protocol.
struct BareClient {
    static constexpr Nanos plenty{30'000'000'000};

    static std::optional<BareClient> connect(const std::string& path) {
        BareClient client;
        auto socket = connect_socket(path.c_str(), plenty);
        if (!socket) return std::nullopt;
        client.socket = std::move(*socket);
        wire::Hello hello;
        std::memcpy(hello.name.data(), "bare", 4);
        wire::Welcome welcome;
        ReceivedFds fds;
        if (!send_message(client.socket.get(), hello, {}, plenty) ||
            !receive_message(client.socket.get(), welcome, fds, plenty) || welcome.status != 0)
            return std::nullopt;
        client.chunk_bytes = welcome.chunk_bytes;
        const uint64_t length_bytes = welcome.address_chunks * welcome.chunk_bytes;
        const SegmentShape shape{welcome.address_chunks, welcome.chunk_bytes};
        auto engine = EngineSegment::map(fds.fds[1].get(), shape);
        auto segment = ClientSegment::map(fds.fds[2].get(), shape);
        auto space = map_space(fds.fds[0].get(), length_bytes);
        auto uffd = open_userfault(fds.fds[4].get());
        if (!engine || !segment || !space || !uffd) return std::nullopt;
        client.engine = std::move(*engine);
        client.segment = std::move(*segment);
        client.space = std::move(*space);
        client.uffd = std::move(*uffd);
        client.doorbell = std::move(fds.fds[3]);
        client.memory_file = std::move(fds.fds[0]);
        client.writer.emplace(client.segment, client.engine);
        if (!uffd_handshake(client.uffd.get(), shared_userfault_features()) ||
            !register_space(client.uffd.get(), client.space.data(), length_bytes, true))
            return std::nullopt;
        const wire::Ready ready{.base_address = reinterpret_cast<uint64_t>(client.space.data())};
        const int fd = client.uffd.get();
        wire::Started started;
        if (!send_message(client.socket.get(), ready, std::span(&fd, 1), plenty) ||
            !receive_message(client.socket.get(), started, fds, plenty) || started.status != 0)
            return std::nullopt;
        return client;
    }

    // Slot 0 is call()'s: answers need not come in order.
    void ask(wire::RequestKind kind, uint32_t first, uint32_t count, uint32_t slot = 1) {
        const wire::Request request{.kind = kind,
                                    .slot = slot,
                                    .sequence = ++sequence,
                                    .first_chunk = first,
                                    .chunks = count};
        if (writer->push(request)) ring();
    }
    void ring() const {
        const uint64_t one = 1;
        (void)!::write(doorbell.get(), &one, sizeof one);
    }
    // Waits for the answer: one request at a time.
    Errc call(wire::RequestKind kind, uint32_t first, uint32_t count) {
        ask(kind, first, count, 0);
        const wire::ReplySlot& slot = std::as_const(engine).page().replies[0];
        for (uint32_t looks = 1; slot.sequence.load(std::memory_order_acquire) != sequence;
             ++looks) {
            ::sched_yield();
            if (looks % 64 == 0 && is_hung_up(socket.get())) return Errc::disconnected;
        }
        return static_cast<Errc>(slot.result.load());
    }
    // The daemon ends the session.
    void await_end() const {
        pollfd entry{socket.get(), POLLRDHUP, 0};
        (void)::poll(&entry, 1, static_cast<int>(plenty.value / 1'000'000));
    }
    Errc promise(uint32_t first, uint32_t count) {
        return call(wire::RequestKind::promise, first, count);
    }

    // Every 8 bytes of every page differ from all others.
    void fill(uint32_t chunks, uint64_t salt) {
        for (uint64_t word = 0; word < chunks * chunk_bytes / 8; ++word)
            words()[word] = word * 0x9e3779b97f4a7c15u + salt;
    }
    bool is_intact(uint32_t chunks, uint64_t salt) const {
        for (uint64_t word = 0; word < chunks * chunk_bytes / 8; ++word)
            if (words()[word] != word * 0x9e3779b97f4a7c15u + salt) return false;
        return true;
    }

    uint64_t* words() const { return reinterpret_cast<uint64_t*>(space.data()); }

    UniqueFd socket;
    EngineSegment engine;
    ClientSegment segment;
    Mapping space;
    UniqueFd uffd;
    UniqueFd doorbell;
    UniqueFd memory_file;
    std::optional<RequestWriter> writer;
    uint32_t sequence = 0;
    uint64_t chunk_bytes = 0;
};

// Bytes between a test and its child processes; reading waits, an ended partner reads as -1.
struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
        out = UniqueFd(ends[0]);
        in = UniqueFd(ends[1]);
    }
    int read_byte() const {
        char byte = 0;
        return ::read(out.get(), &byte, 1) == 1 ? byte : -1;
    }
    void write_byte(char byte) const { (void)!::write(in.get(), &byte, 1); }

    UniqueFd out;
    UniqueFd in;
};

}  // namespace ciuic::test
