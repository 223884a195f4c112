// SPDX-License-Identifier: Apache-2.0
//
// What crosses the border between a client and the daemon, byte for byte: the messages of the
// handshake, that of a forked child, and the two shared segments. docs/protocol.md tells the story.
//
// Both ends run on one machine, so numbers are in its byte order. A change of anything here is a
// change of `version`; the first eight bytes of a message never change.
//
// Not here: sending and receiving (socket.hpp), mapping (segment.hpp), the ring (request_ring.hpp).
#pragma once

#include "limits.hpp"
#include "protocol/hostile.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ciuic::wire {

inline constexpr uint32_t magic = 0x43495543;  // "CUIC" as it lies in memory, little-endian
inline constexpr uint16_t version = 2;

inline constexpr const char* default_socket_path = "/run/ciuic/swapd.sock";

// Messages

enum class MessageKind : uint16_t { hello = 1, welcome, ready, started, attach };

struct MessageHeader {
    uint32_t magic = wire::magic;
    uint16_t version = wire::version;
    MessageKind kind{};
    uint32_t size_bytes = 0;  // of the message, header included
    uint32_t flags = 0;       // unknown ones are refused
};
static_assert(sizeof(MessageHeader) == 16);
static_assert(offsetof(MessageHeader, magic) == 0 && offsetof(MessageHeader, version) == 4);

// A header for message T; T names its kind.
template <typename T> constexpr MessageHeader header_of(uint32_t flags = 0) {
    return {.kind = T::kind, .size_bytes = sizeof(T), .flags = flags};
}

// 1. client -> daemon; no descriptors.
struct Hello {
    static constexpr MessageKind kind = MessageKind::hello;
    static constexpr uint32_t flags_known = 0;

    MessageHeader header = header_of<Hello>();
    uint32_t address_chunks = 0;  // wanted size of the address space; 0: the daemon's default
    uint32_t reserved = 0;
    std::array<char, 32> name{};  // of the program, for reports; not necessarily terminated
};
static_assert(sizeof(Hello) == 56);
static_assert(offsetof(Hello, address_chunks) == 16 && offsetof(Hello, name) == 24);

// 2. daemon -> client, with the descriptors of WelcomeFd. A refusal has none.
struct Welcome {
    static constexpr MessageKind kind = MessageKind::welcome;
    static constexpr uint32_t flag_userfaultfd = 1;  // the fifth descriptor is there
    static constexpr uint32_t flags_known = flag_userfaultfd;

    MessageHeader header = header_of<Welcome>();
    uint32_t status = 0;          // Errc
    uint32_t address_chunks = 0;  // of the session's address space: 1 .. what was wanted
    uint64_t chunk_bytes = 0;
    uint64_t incarnation = 0;  // this life of the daemon
    uint32_t daemon_pid = 0;
    uint32_t session = 0;  // the daemon's number for it
};
static_assert(sizeof(Welcome) == 48);
static_assert(offsetof(Welcome, status) == 16 && offsetof(Welcome, chunk_bytes) == 24);
static_assert(offsetof(Welcome, incarnation) == 32 && offsetof(Welcome, daemon_pid) == 40);

// The order of the descriptors that come with a Welcome.
enum class WelcomeFd : uint8_t {
    memory,          // address_chunks x chunk_bytes: the session's address space
    engine_segment,  // to be mapped read-only
    client_segment,
    doorbell,     // eventfd: wakes the daemon
    userfaultfd,  // /dev/userfaultfd, where the daemon could open it
};
inline constexpr uint32_t welcome_fds_min = 4;
inline constexpr uint32_t welcome_fds_max = 5;

// 3. client -> daemon, with one descriptor: the userfaultfd on which everything is registered.
struct Ready {
    static constexpr MessageKind kind = MessageKind::ready;
    static constexpr uint32_t flags_known = 0;

    MessageHeader header = header_of<Ready>();
    uint64_t base_address = 0;  // of chunk 0 in the client; a multiple of chunk_bytes
};
static_assert(sizeof(Ready) == 24 && offsetof(Ready, base_address) == 16);

// 4. daemon -> client. Afterwards only forked children of the client send anything on this socket.
struct Started {
    static constexpr MessageKind kind = MessageKind::started;
    static constexpr uint32_t flags_known = 0;

    MessageHeader header = header_of<Started>();
    uint32_t status = 0;  // Errc
    uint32_t reserved = 0;
};
static_assert(sizeof(Started) == 24 && offsetof(Started, status) == 16);

// 5. forked child -> daemon, on the connection of its parent, with the descriptors of AttachFd: it
// has mapped the parent's memory file to read it. The answer, a Started, comes on the child's own
// connection, which lives as long as the parent's session.
struct Attach {
    static constexpr MessageKind kind = MessageKind::attach;
    static constexpr uint32_t flags_known = 0;

    MessageHeader header = header_of<Attach>();
    uint64_t base_address = 0;  // as in Ready
};
static_assert(sizeof(Attach) == 24 && offsetof(Attach, base_address) == 16);

enum class AttachFd : uint8_t {
    connection,   // the daemon's end of one that the child has made
    userfaultfd,  // on which everything is registered
};
inline constexpr uint32_t attach_fds = 2;

inline constexpr uint32_t fds_per_message_max = welcome_fds_max;

// Segments. Every segment starts with this; the daemon writes it before anyone else sees it.

enum class SegmentKind : uint16_t { engine = 1, client };

struct SegmentHeader {
    uint32_t magic = wire::magic;
    uint16_t version = wire::version;
    SegmentKind kind{};
    uint64_t size_bytes = 0;
    uint64_t chunk_bytes = 0;
    uint32_t chunks = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(SegmentHeader) == 32);

inline constexpr uint64_t page_bytes = 4096;
inline constexpr size_t line_bytes = 64;

// Engine segment: written by the daemon, read by the client.
//
//   0       EnginePage: header, sleeping, reply slots
//   4096    Statistics
//   8192    state words: u32 per chunk, the chunk's state in the low 8 bits

// A request is answered by its own sequence number, in the slot that it named.
struct ReplySlot {
    std::atomic<uint32_t> sequence;  // the futex word; stored last, with release
    std::atomic<uint32_t> result;    // Errc
};
static_assert(sizeof(ReplySlot) == 8);

inline constexpr uint32_t reply_slots = limits::waiters_per_session_max;

struct EnginePage {
    SegmentHeader header;
    // Not 0: the daemon waits for events, so whoever adds a request rings the doorbell.
    alignas(line_bytes) std::atomic<uint32_t> sleeping;
    alignas(line_bytes) std::array<ReplySlot, reply_slots> replies;
};
static_assert(offsetof(EnginePage, sleeping) == 64 && offsetof(EnginePage, replies) == 128);
static_assert(sizeof(EnginePage) == 640 && sizeof(EnginePage) <= page_bytes);

// The session's numbers, at most a few milliseconds old: engine/stats.hpp explains each.
struct Statistics {
    std::atomic<uint64_t> faults;
    std::atomic<uint64_t> write_faults;
    std::atomic<uint64_t> stray_touches;
    std::atomic<uint64_t> fills;
    std::atomic<uint64_t> fetches;
    std::atomic<uint64_t> evictions;
    std::atomic<uint64_t> evictions_clean;
    std::atomic<uint64_t> recalls;
    std::atomic<uint64_t> pieces_in;
    std::atomic<uint64_t> pieces_out;
    std::atomic<uint64_t> pieces_written;
    std::atomic<uint64_t> gathers;
    std::atomic<uint64_t> prefetches;
    std::atomic<uint64_t> prefetches_in_order;
    std::atomic<uint64_t> prefetches_used;
    std::atomic<uint64_t> prefetches_wasted;
    std::atomic<uint64_t> store_bytes_written;
    std::atomic<uint64_t> store_bytes_read;
    std::atomic<uint64_t> tag_failures;
    std::atomic<uint64_t> write_failures;
    std::atomic<uint64_t> chunks_lost;
    std::atomic<uint64_t> waits_expired;
    std::atomic<uint64_t> stall_ns;
    std::array<std::atomic<uint64_t>, 5> bytes_in_by_cause;  // in the order of Cause
    std::atomic<uint64_t> chunks_promised;
    std::atomic<uint64_t> chunks_promised_peak;
    std::atomic<uint64_t> frames;
    std::atomic<uint64_t> frames_peak;
};
static_assert(sizeof(Statistics) == 32 * 8 && sizeof(Statistics) <= page_bytes);

struct EngineLayout {
    static constexpr uint64_t statistics_offset = page_bytes;
    static constexpr uint64_t states_offset = 2 * page_bytes;
    static constexpr uint64_t size_bytes(uint32_t chunks) {
        return states_offset + round_up(chunks * sizeof(uint32_t), page_bytes);
    }
};

// Client segment: written by the client; the daemon believes nothing in it.
//
//   0       ClientPage: header, tail of the request ring, counters
//   4096    request ring: ring_entries entries of 32 bytes
//   12288   pin words: u32 per chunk, pins in use in the low 16 bits, accesses above

enum class RequestKind : uint32_t { promise = 0, acquire, prefetch, evict, clear, discard };
inline constexpr uint32_t request_kinds = 6;

struct Request {
    RequestKind kind{};
    uint32_t slot = 0;      // of the reply: 0 .. reply_slots - 1, free until the reply
    uint32_t sequence = 0;  // written to the slot with the reply; differs from the slot's last
    uint32_t first_chunk = 0;
    uint32_t chunks = 0;
    std::array<uint32_t, 3> reserved{};
};
static_assert(sizeof(Request) == 32 && offsetof(Request, chunks) == 16);

// What the client's library has done with the program's large requests; only ever reported.
struct ClientCounters {
    Hostile<uint64_t> large_requests;      // allocations at or above the threshold
    Hostile<uint64_t> large_served;        // of these, from this session
    Hostile<uint64_t> large_fell_through;  // of these, left to the system
    Hostile<uint64_t> large_refused;       // of these, failed with ENOMEM
    Hostile<uint64_t> large_freed;         // of the served, given back
    Hostile<uint64_t> large_bytes;         // sums of sizes as asked for
    Hostile<uint64_t> large_bytes_served;
    Hostile<uint64_t> large_bytes_fell_through;
    Hostile<uint64_t> large_bytes_refused;
};
static_assert(sizeof(ClientCounters) == 9 * 8);

struct ClientPage {
    SegmentHeader header;
    // Requests ever added, modulo 2^32. The daemon keeps its own count of those taken.
    alignas(line_bytes) Hostile<uint32_t> request_tail;
    alignas(line_bytes) ClientCounters counters;
};
static_assert(offsetof(ClientPage, request_tail) == 64 && offsetof(ClientPage, counters) == 128);
static_assert(sizeof(ClientPage) == 256 && sizeof(ClientPage) <= page_bytes);

struct ClientLayout {
    static constexpr uint64_t ring_offset = page_bytes;
    static constexpr uint64_t pins_offset =
        ring_offset + round_up(limits::ring_entries * sizeof(Request), page_bytes);
    static constexpr uint64_t size_bytes(uint32_t chunks) {
        return pins_offset + round_up(chunks * sizeof(uint32_t), page_bytes);
    }
};
static_assert(ClientLayout::pins_offset == 12288);

}  // namespace ciuic::wire
