// SPDX-License-Identifier: Apache-2.0
//
// Traces of others, read into ours. Each gives the line that says what is wrong, or an empty one.
//
// msr: block traces of Microsoft Research Cambridge, 2007, as distributed by SNIA's IOTTA
// repository (Narayanan, Donnelly and Rowstron, "Write Off-Loading: Practical Power Management for
// Enterprise Storage", FAST 2008). Its README: text, a request a line,
//     Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
// the time in Windows file time (100 ns since 1601), the type "Read" or "Write", offset and size in
// bytes. Each disk of each host becomes a region.
//
// oracle: libCacheSim's oracleGeneral (libCacheSim/traceReader/customizedReader/oracle/
// oracleGeneralBin.h of 1a1a11a/libCacheSim), 24 bytes a request, little-endian, without gaps:
//     uint32 time in seconds, uint64 object, uint32 size, int64 position of the next request
//     for that object, or -1 or the largest
// Each object becomes one chunk, whatever its size: the numbers of chunks are given in the order of
// first use.
//
// Threads: any.
#pragma once

#include "trace/writer.hpp"

#include <string>

namespace ciuic::cli {

std::string convert_msr(const std::string& path, uint64_t chunk_bytes, trace::Writer& writer);
std::string convert_oracle(const std::string& path, trace::Writer& writer);

}  // namespace ciuic::cli
