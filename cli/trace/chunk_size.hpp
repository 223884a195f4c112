// SPDX-License-Identifier: Apache-2.0
//
// --chunk of `ciuic trace`.
//
// Threads: any.
#pragma once

#include "base/size_text.hpp"
#include "trace/encoding.hpp"

#include <string>

namespace ciuic::cli {

// 0: not one that a trace may have.
inline uint64_t parse_chunk_size(const std::string& text) {
    const Result<uint64_t> size = parse_size(text);
    return size.has_value() && trace::is_chunk_size(*size) ? *size : 0;
}

inline std::string chunk_size_problem(const std::string& text) {
    return "--chunk " + text + ": a chunk is a power of two, 512B to 64MiB";
}

}  // namespace ciuic::cli
