// SPDX-License-Identifier: Apache-2.0
//
// A fuzz target: one source with libFuzzer's entry, which takes any bytes and stops the program
// where a promise is broken. It links with the driver here (any compiler), or with libFuzzer.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ciuic::fuzz {

// How many inputs have been taken so far: one call may be many, such as the entries of a ring.
inline uint64_t inputs = 0;

}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
