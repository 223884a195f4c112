// SPDX-License-Identifier: Apache-2.0
//
// A whole trace as caches see it: one number for each use, the numbers without gaps.
//
// Threads: any.
#pragma once

#include "base/result.hpp"
#include "trace/reader.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ciuic::cli {

struct FlatTrace {
    uint64_t chunk_bytes = 0;
    uint32_t footprint_chunks = 0;  // those that are used at all
    std::vector<uint32_t> uses;     // numbered in the order of first use
};

// `reader` is new; afterwards it can describe an error.
Result<FlatTrace> flatten(trace::Reader& reader, const std::string& path);

}  // namespace ciuic::cli
