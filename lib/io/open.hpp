// SPDX-License-Identifier: Apache-2.0
//
// Which I/O adapter serves a file.
#pragma once

#include "io/io.hpp"

#include <memory>

namespace ciuic {

enum class IoKind : uint8_t {
    automatic,  // io_uring, or threads where the machine refuses it
    uring,
    threads,
};

// `fd` stays the caller's and must outlive the result; name() of the result says what was taken.
// Errors: invalid, io.
Result<std::unique_ptr<Io>> open_io(int fd, uint32_t depth, IoKind kind);

}  // namespace ciuic
