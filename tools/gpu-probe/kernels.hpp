// SPDX-License-Identifier: Apache-2.0
//
// The probe's kernels: PTX text that the driver compiles for the card at hand, and their launches.
//
// A word is 8 bytes; word i of a range filled with `seed` holds (seed + i) * PATTERN_FACTOR.
#pragma once

#include "driver.hpp"

namespace ciuic::probe {

inline constexpr uint64_t PATTERN_FACTOR = 0x9E3779B97F4A7C15;

extern const char* const KERNEL_PTX;

enum class AtomicScope { gpu, system };

class Kernels {
public:
    // Needs a current context. `multiprocessors` sets how wide a full launch is.
    Kernels(const Driver& driver, int multiprocessors);

    // Stores 1 to *started, then keeps one thread busy for the time given.
    void spin(StreamHandle stream, DevicePtr started, uint64_t duration_ns) const;
    // Both go `passes` times over the range with `share_percent` of a full launch's blocks.
    void fill(StreamHandle stream, DevicePtr range, size_t bytes, uint64_t seed,
              uint32_t passes = 1, unsigned share_percent = 100) const;
    // Adds the number of words that differ from the pattern to *mismatches.
    void verify(StreamHandle stream, DevicePtr range, size_t bytes, uint64_t seed,
                DevicePtr mismatches, uint32_t passes = 1, unsigned share_percent = 100) const;
    // Every thread adds 1, `rounds` times, to one of `slots` words (a power of two).
    // Returns the number of additions that the launch makes.
    uint64_t atomic_add(StreamHandle stream, DevicePtr words, uint32_t slots, uint32_t rounds,
                        AtomicScope scope) const;

private:
    void launch(Function function, unsigned blocks, unsigned threads, StreamHandle stream,
                void** parameters) const;
    unsigned blocks(unsigned share_percent) const;

    const Driver& driver_;
    unsigned full_blocks_;
    Function spin_ = nullptr;
    Function fill_ = nullptr;
    Function verify_ = nullptr;
    Function atomic_gpu_ = nullptr;
    Function atomic_system_ = nullptr;
};

}  // namespace ciuic::probe
