// SPDX-License-Identifier: Apache-2.0
#include "device/host/lending_pool.hpp"

#include "base/check.hpp"
#include "base/units.hpp"
#include "device/host/userfault.hpp"
#include "device/host/userfault_abi.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace ciuic {

namespace {

constexpr size_t regions_per_scan = 16;

// How often a discarded page is replaced while the program discards again.
constexpr uint32_t take_back_tries_max = 3;

// Pages on their way back are refused only while somebody's I/O pins them: a matter of
// milliseconds, at about a microsecond a try.
constexpr uint32_t return_tries_max = 1'000'000;

// What a discarded page is replaced by. As large as the largest page of any supported machine.
alignas(64 * KiB) constinit std::byte zeros[64 * KiB]{};

uint64_t address_of(const std::byte* place) { return reinterpret_cast<uint64_t>(place); }

// Moves pages until done or refused; `moved` advances. Returns 0 or the refusal.
int move_pages(int uffd, std::byte* to, std::byte* from, uint64_t& moved, uint64_t length_bytes) {
    uint32_t tries = 0;
    while (moved < length_bytes) {
        abi::UffdioMove request{};
        request.dst = address_of(to) + moved;
        request.src = address_of(from) + moved;
        request.len = length_bytes - moved;
        if (::ioctl(uffd, abi::uffdio_move, &request) == 0) {
            moved = length_bytes;
        } else if (request.move > 0) {
            moved += static_cast<uint64_t>(request.move);
            tries = 0;
        } else if (errno != EAGAIN || ++tries == userfault::tries_max) {
            return errno;
        }
    }
    return 0;
}

}  // namespace

LendingPool::LendingPool(std::span<std::byte> memory, uint64_t slot_bytes, int uffd, int pagemap)
    : memory_(memory), slot_bytes_(slot_bytes),
      page_bytes_(static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))), uffd_(uffd), pagemap_(pagemap),
      places_(memory.size() / slot_bytes) {
    CIUIC_CHECK(slot_bytes % page_bytes_ == 0 && memory.size() % slot_bytes == 0);
}

LendingPool::Place& LendingPool::place_of(uint32_t slot) {
    CIUIC_CHECK(slot < places_.size());
    return places_[slot];
}

bool LendingPool::is_lent(uint32_t slot) const {
    CIUIC_CHECK(slot < places_.size());
    return places_[slot] == Place::lent;
}

std::span<std::byte> LendingPool::bytes(uint32_t slot) const {
    CIUIC_CHECK(slot < places_.size() && places_[slot] == Place::home);
    return memory_.subspan(slot * slot_bytes_, slot_bytes_);
}

Result<std::span<std::byte>> LendingPool::open(uint32_t slot) {
    Place& place = place_of(slot);
    CIUIC_CHECK(place != Place::lent);
    if (place == Place::hollow) {
        CIUIC_TRY_STATUS(fill_holes(memory_.data() + slot * slot_bytes_));
        place = Place::home;
    }
    return bytes(slot);
}

// All or nothing: what has moved when a page is refused goes back.
Status LendingPool::move(std::byte* to, std::byte* from) const {
    uint64_t moved = 0;
    const int refused = move_pages(uffd_, to, from, moved, slot_bytes_);
    if (refused == 0) return {};
    uint64_t returned = 0;
    uint32_t tries = 0;
    while (move_pages(uffd_, from, to, returned, moved) != 0) {
        CIUIC_CHECK(++tries < return_tries_max);
        ::sched_yield();
    }
    return userfault::refusal("UFFDIO_MOVE", refused);
}

Status LendingPool::lend(uint32_t slot, std::byte* borrower) {
    CIUIC_TRY_STATUS(move(borrower, bytes(slot).data()));
    place_of(slot) = Place::lent;
    return {};
}

Status LendingPool::take_back(uint32_t slot, std::byte* borrower) {
    Place& place = place_of(slot);
    CIUIC_CHECK(place == Place::lent);
    std::byte* const home = memory_.data() + slot * slot_bytes_;
    Status moved;
    for (uint32_t tries = 0; tries < take_back_tries_max; ++tries) {
        moved = move(home, borrower);
        if (moved.has_value()) {
            place = Place::home;
            return {};
        }
        // Whoever met the gap while the pages were on their way there and back has to look again.
        (void)userfault::wake(uffd_, address_of(borrower), slot_bytes_);
        if (moved.error().os_error != ENOENT) break;
        CIUIC_TRY_STATUS(fill_holes(borrower));
    }
    return moved;
}

void LendingPool::force_back(uint32_t slot, std::byte* borrower) {
    if (take_back(slot, borrower).has_value()) return;
    // Pinned, unmapped or made read-only by the program: its pages are dropped where they are and
    // the slot gets new ones.
    ::madvise(borrower, slot_bytes_, MADV_DONTNEED_LOCKED);
    const bool whole = fill_holes(memory_.data() + slot * slot_bytes_).has_value();
    place_of(slot) = whole ? Place::home : Place::hollow;
}

Status LendingPool::fill_holes(std::byte* borrower) const {
    const uint64_t end = address_of(borrower) + slot_bytes_;
    uint64_t next = address_of(borrower);
    while (next < end) {
        abi::PageRegion holes[regions_per_scan];
        abi::PagemapScan scan{};
        scan.size = sizeof scan;
        scan.start = next;
        scan.end = end;
        scan.vec = reinterpret_cast<uint64_t>(holes);
        scan.vec_len = regions_per_scan;
        scan.category_mask = abi::page_is_present | abi::page_is_swapped;
        scan.category_inverted = scan.category_mask;
        scan.return_mask = scan.category_mask;
        const int found = ::ioctl(pagemap_, abi::pagemap_scan, &scan);
        if (found < 0) return os_refusal("PAGEMAP_SCAN", errno);
        for (const abi::PageRegion& hole : std::span(holes, static_cast<size_t>(found))) {
            for (uint64_t address = hole.start; address < hole.end; address += page_bytes_) {
                uffdio_copy request{};
                request.dst = address;
                request.src = address_of(zeros);
                request.len = page_bytes_;
                uint32_t tries = 0;
                while (::ioctl(uffd_, UFFDIO_COPY, &request) != 0 && errno != EEXIST)
                    if (errno != EAGAIN || ++tries == userfault::tries_max)
                        return userfault::refusal("UFFDIO_COPY", errno);
            }
        }
        next = scan.walk_end;
    }
    return {};
}

}  // namespace ciuic
