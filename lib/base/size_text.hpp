// SPDX-License-Identifier: Apache-2.0
//
// Sizes as people write them: "256MiB", "1.5GiB", "4096".
//
// Threads: any. No heap, no locale: used before and inside programs that are not ours.
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace ciuic {

// Accepts a whole number of bytes, or a number with at most nine decimals and a unit: B, KiB, MiB,
// GiB, TiB, or their short forms K, M, G, T. A part of a byte is dropped. Units of 1000 (kB, MB,
// GB) are refused: whoever writes them usually means the others.
// Error: invalid; the text says what is wrong.
Result<uint64_t> parse_size(std::string_view text);

// The size in the largest unit that fits, with at most two decimals: "1.5GiB", "512B".
// parse_size() reads it back; it is exact where two decimals are enough.
std::array<char, 24> format_size(uint64_t size_bytes);  // terminated

}  // namespace ciuic
