// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a trace file that writer and reader must agree on. docs/trace-format.md tells them
// one by one.
//
// Threads: any.
#pragma once

#include "limits.hpp"

#include <xxhash.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace ciuic::trace {

inline constexpr std::array<char, 8> file_magic{'C', 'i', 'u', 'i', 'c', 'T', 'r', '\n'};
inline constexpr uint32_t file_version = 1;

inline constexpr size_t header_bytes = 24;
inline constexpr size_t version_offset = 8;
inline constexpr size_t check_offset = 12;
inline constexpr size_t chunk_bytes_offset = 16;

// A window of 1 MiB: what a reader has to keep while it unpacks.
inline constexpr int window_log = 20;

// The low two bits of a record's first byte.
enum class Kind : uint8_t { end = 0, region = 1, phase = 2, use = 3 };
inline constexpr uint8_t kind_mask = 3;
// The others, of a use alone.
inline constexpr uint8_t flag_write = 4;
inline constexpr uint8_t flag_elsewhere = 8;  // thread and region follow; else as the use before
inline constexpr uint8_t flag_run = 16;       // a count follows; else it is one chunk
inline constexpr uint8_t flags_mask = flag_write | flag_elsewhere | flag_run;

inline constexpr size_t varint_bytes_max = 10;
// First byte, at most five numbers, a name.
inline constexpr size_t record_bytes_max = 1 + 5 * varint_bytes_max + limits::trace_name_bytes_max;

using Header = std::array<std::byte, header_bytes>;

inline void store_little_endian(std::byte* at, uint64_t value, size_t bytes) {
    for (size_t index = 0; index < bytes; ++index)
        at[index] = static_cast<std::byte>(value >> (8 * index));
}

inline uint64_t load_little_endian(const std::byte* at, size_t bytes) {
    uint64_t value = 0;
    for (size_t index = 0; index < bytes; ++index)
        value |= static_cast<uint64_t>(at[index]) << (8 * index);
    return value;
}

// Of everything in the header but itself.
inline uint32_t header_check(Header header) {
    store_little_endian(header.data() + check_offset, 0, 4);
    return static_cast<uint32_t>(XXH64(header.data(), header.size(), 0));
}

// Seven bits a byte, the lowest first; the highest bit says that more follow. The number of bytes.
inline size_t put_varint(std::byte* at, uint64_t value) {
    size_t bytes = 0;
    for (; value >= 0x80; value >>= 7) at[bytes++] = static_cast<std::byte>(value | 0x80);
    at[bytes++] = static_cast<std::byte>(value);
    return bytes;
}

// Takes the number from the front. Nothing: it does not end, or does not fit into 64 bits.
inline std::optional<uint64_t> take_varint(std::span<const std::byte>& bytes) {
    uint64_t value = 0;
    for (size_t index = 0; index < bytes.size() && index < varint_bytes_max; ++index) {
        const auto byte = static_cast<uint64_t>(bytes[index]);
        if (index == varint_bytes_max - 1 && byte > 1) return {};
        value |= (byte & 0x7f) << (7 * index);
        if (byte < 0x80) {
            bytes = bytes.subspan(index + 1);
            return value;
        }
    }
    return {};
}

// Small numbers of either sign as small numbers: 0, -1, 1, -2, 2, ...
constexpr uint64_t zigzag(int64_t value) {
    return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t unzigzag(uint64_t value) {
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}
static_assert(unzigzag(zigzag(-3)) == -3 && zigzag(-1) == 1 && zigzag(1) == 2);

// Names go to terminals and into JSON: nothing that moves a cursor.
inline bool is_name(std::string_view name) {
    if (name.size() > limits::trace_name_bytes_max) return false;
    for (const char character : name)
        if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) return false;
    return true;
}

// Chunks of traces of other things may be as small as a disk's block.
constexpr bool is_chunk_size(uint64_t chunk_bytes) {
    return is_power_of_two(chunk_bytes) && chunk_bytes >= limits::trace_chunk_bytes_min &&
           chunk_bytes <= limits::chunk_bytes_max;
}

}  // namespace ciuic::trace
