// SPDX-License-Identifier: Apache-2.0
//
// Bus guard: what happens when a client takes a page from under the daemon's touch.
//
// A memory file that is not sealed can be truncated by its client, and one whose pages were punched
// finds no new ones where the machine has none left: the kernel then answers a touch with SIGBUS,
// which would end the daemon for everyone. In a guarded range the step that was touched is mapped
// over with private zeros instead, the touch succeeds, and the range remembers that it was hit: its
// owner ends that client, whose bytes they would have been.
//
// A SIGBUS elsewhere, or one for a broken memory module, ends the process as before.
//
// Not here: what is done about the client (shared, daemon/).
// Threads: watch() and the owner's calls one; the handler runs in whichever thread touched. It
// allocates nothing, takes no lock, and looks addresses up in a table of fixed size.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace ciuic {

class GuardedRange {
public:
    // `step_bytes`: what is mapped over at once; range and size are multiples of it, and it is one
    // of the range's page size. The handler is put in place by the first call.
    // Errors: no_memory (the table is full), io.
    static Result<GuardedRange> watch(std::span<std::byte> range, uint64_t step_bytes);

    GuardedRange() = default;
    GuardedRange(GuardedRange&& other) noexcept : entry_(std::exchange(other.entry_, none)) {}
    GuardedRange& operator=(GuardedRange&& other) noexcept {
        std::swap(entry_, other.entry_);
        return *this;
    }
    GuardedRange(const GuardedRange&) = delete;
    GuardedRange& operator=(const GuardedRange&) = delete;
    // To be called before the range is unmapped.
    ~GuardedRange() { reset(); }
    void reset();

    // A touch of it has failed.
    bool was_hit() const;
    // Touches that failed, of all ranges there ever were: whether it is worth to look at was_hit().
    static uint32_t hits();

private:
    static constexpr size_t none = SIZE_MAX;
    size_t entry_ = none;
};

}  // namespace ciuic
