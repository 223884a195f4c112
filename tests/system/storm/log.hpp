// SPDX-License-Identifier: Apache-2.0
//
// What a storm's clients tell its driver: one record each in a shared file, which outlives them.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace ciuic::test {

struct StormRecord {
    std::atomic<uint64_t> pages_verified;
    std::atomic<uint64_t> pages_written;
    std::atomic<uint64_t> fresh_pages;  // of new memory that was found to be zero
    std::atomic<uint64_t> wait_max_ns;  // of a touch or an acquire
    // Touches and acquires that took less than 2^(i + 1) ns.
    std::array<std::atomic<uint64_t>, 40> waits;

    void add_wait(uint64_t wait_ns) {
        if (wait_ns > wait_max_ns.load(std::memory_order_relaxed))
            wait_max_ns.store(wait_ns, std::memory_order_relaxed);
        const auto bucket = static_cast<size_t>(std::bit_width(wait_ns | 1) - 1);
        waits[bucket < waits.size() ? bucket : waits.size() - 1].fetch_add(
            1, std::memory_order_relaxed);
    }
};

}  // namespace ciuic::test
