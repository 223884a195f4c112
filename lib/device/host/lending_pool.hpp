// SPDX-License-Identifier: Apache-2.0
//
// Lending pool: slots of memory whose pages are lent to a place in the program's address space and
// come back (UFFDIO_MOVE). A page is in one of the two places, so taking it back freezes it, and
// nothing is copied.
//
//   home    the slot's bytes lie in the pool; the pager may touch them
//   lent    they lie at the borrower; their place in the pool is a hole that nobody may touch: the
//           toucher would wait for itself
//   hollow  a forced return found parts in neither place, and the kernel had no memory to fill the
//           gap: open() tries again
//
// Where the program itself discarded pages of what it borrowed (madvise), they read as zeros.
// Never: register the pool with io_uring, or pin it otherwise (MOVE then says EBUSY).
//
// Not here: which slot is whose, and when (embedded, embedded_pieces).
// Threads: one, the pager's. It serves faults of its own process: after construction nothing here
// allocates, takes a lock, or touches memory that could be absent.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ciuic {

class LendingPool {
public:
    // `memory`: whole slots of private anonymous memory, every page touched, registered on `uffd`
    // as the borrowers' is. `pagemap` is this process's. Both descriptors outlive the pool.
    LendingPool(std::span<std::byte> memory, uint64_t slot_bytes, int uffd, int pagemap);

    uint32_t slots() const { return static_cast<uint32_t>(places_.size()); }
    uint64_t slot_bytes() const { return slot_bytes_; }
    bool is_lent(uint32_t slot) const;

    // The slot's bytes, all present. Precondition: not lent.
    Result<std::span<std::byte>> open(uint32_t slot);
    // Precondition: home.
    std::span<std::byte> bytes(uint32_t slot) const;

    // Moves the slot's pages to `borrower`, where nothing is. Precondition: home.
    Status lend(uint32_t slot, std::byte* borrower);
    // Moves them back. Errors: busy and others; the slot is still lent. Precondition: lent.
    Status take_back(uint32_t slot, std::byte* borrower);
    // Has the slot back whatever it takes: what cannot be moved is dropped and replaced.
    void force_back(uint32_t slot, std::byte* borrower);
    // Puts zeros where the borrower has nothing. Pages that are there stay.
    Status fill_holes(std::byte* borrower) const;

private:
    enum class Place : uint8_t { home, lent, hollow };

    Place& place_of(uint32_t slot);
    Status move(std::byte* to, std::byte* from) const;

    std::span<std::byte> memory_;
    uint64_t slot_bytes_;
    uint64_t page_bytes_;
    int uffd_;
    int pagemap_;
    std::vector<Place> places_;
};

}  // namespace ciuic
