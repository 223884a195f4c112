// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded.hpp"

#include "base/check.hpp"
#include "device/host/client_side.hpp"
#include "device/host/userfault.hpp"
#include "device/host/userfault_abi.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ciuic {

namespace {

constexpr size_t messages_per_read = 16;
constexpr size_t regions_per_scan = 16;

// How often a discarded page is replaced while the program discards again.
constexpr uint32_t conceal_tries_max = 3;

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

Status keep_from_children(std::span<std::byte> memory) {
    if (::madvise(memory.data(), memory.size(), MADV_DONTFORK) != 0)
        return os_refusal("madvise(MADV_DONTFORK)", errno);
    return {};
}

Status check_options(const EmbeddedHostOptions& options) {
    const uint64_t chunk_bytes = options.chunk_bytes;
    if (!is_power_of_two(chunk_bytes) ||
        chunk_bytes % static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) != 0)
        return Error{Errc::invalid, 0, "the chunk size is not a power of two of whole pages"};
    const uint64_t alignment_bytes = std::min(chunk_bytes, 2 * MiB);
    for (const std::span<std::byte> memory : {options.arena, options.space})
        if (memory.empty() || memory.size() % chunk_bytes != 0 ||
            address_of(memory.data()) % alignment_bytes != 0)
            return Error{Errc::invalid, 0, "arena and space are not whole, aligned chunks"};
    return {};
}

}  // namespace

Result<std::unique_ptr<EmbeddedHostDevice>>
EmbeddedHostDevice::create(const EmbeddedHostOptions& options) {
    CIUIC_TRY_STATUS(check_options(options));
    CIUIC_TRY(UniqueFd uffd, open_userfault(-1));
    CIUIC_TRY_STATUS(uffd_handshake(uffd.get(), embedded_userfault_features()));
    UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    if (!pagemap) return os_refusal("open /proc/self/pagemap", errno);
    CIUIC_TRY_STATUS(keep_from_children(options.arena));
    CIUIC_TRY_STATUS(keep_from_children(options.space));
    // A fault in huge-page memory leaves no page table behind; with one in place, MOVE would split
    // the huge page that comes next. Smaller chunks gain nothing from huge pages: they split them.
    const int advice = options.chunk_bytes >= 2 * MiB ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
    (void)::madvise(options.space.data(), options.space.size(), advice);
    CIUIC_TRY_STATUS(register_space(uffd.get(), options.arena.data(), options.arena.size(), false));
    CIUIC_TRY_STATUS(register_space(uffd.get(), options.space.data(), options.space.size(), false));
    return std::unique_ptr<EmbeddedHostDevice>(
        new EmbeddedHostDevice(options, std::move(uffd), std::move(pagemap)));
}

EmbeddedHostDevice::EmbeddedHostDevice(const EmbeddedHostOptions& options, UniqueFd uffd,
                                       UniqueFd pagemap)
    : arena_(options.arena), space_(options.space),
      page_bytes_(static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))), uffd_(std::move(uffd)),
      pagemap_(std::move(pagemap)), frames_(arena_.size() / options.chunk_bytes),
      poisoned_(space_.size() / options.chunk_bytes) {
    traits_.name = "host-embedded";
    traits_.frame_kind = options.chunk_bytes >= 2 * MiB ? "anonymous-huge" : "anonymous-4k";
    traits_.frames = static_cast<uint32_t>(frames_.size());
    traits_.chunk_bytes = options.chunk_bytes;
    traits_.reveal_bytes = options.chunk_bytes;
}

EmbeddedHostDevice::~EmbeddedHostDevice() {
    // When the descriptor closes, missing pages would read as zeros.
    ::mprotect(space_.data(), space_.size(), PROT_NONE);
}

EmbeddedHostDevice::Frame& EmbeddedHostDevice::frame_of(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame.value < frames_.size());
    Frame& record = frames_[frame.value];
    CIUIC_CHECK(chunk.session.value == 0 && chunk.chunk.value == record.user);
    return record;
}

std::byte* EmbeddedHostDevice::home_of(FrameIndex frame) const {
    return arena_.data() + frame.value * traits_.chunk_bytes;
}

std::byte* EmbeddedHostDevice::shown_at(ChunkRef chunk) const {
    return space_.data() + chunk.chunk.value * traits_.chunk_bytes;
}

void EmbeddedHostDevice::wake(ChunkRef chunk) {
    // Fails only if the program unmapped the range, and then nobody waits there.
    (void)userfault::wake(uffd_.get(), address_of(shown_at(chunk)), traits_.chunk_bytes);
}

// All or nothing: what has moved when a page is refused goes back.
Status EmbeddedHostDevice::move_chunk(std::byte* to, std::byte* from) {
    uint64_t moved = 0;
    const int refused = move_pages(uffd_.get(), to, from, moved, traits_.chunk_bytes);
    if (refused == 0) return {};
    uint64_t returned = 0;
    uint32_t tries = 0;
    while (move_pages(uffd_.get(), from, to, returned, moved) != 0) {
        CIUIC_CHECK(++tries < return_tries_max);
        ::sched_yield();
    }
    return userfault::refusal("UFFDIO_MOVE", refused);
}

// Puts zeros where nothing is. Pages that are there stay.
Status EmbeddedHostDevice::fill_holes(std::byte* begin) {
    const uint64_t end = address_of(begin) + traits_.chunk_bytes;
    uint64_t next = address_of(begin);
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
        const int found = ::ioctl(pagemap_.get(), abi::pagemap_scan, &scan);
        if (found < 0) return os_refusal("PAGEMAP_SCAN", errno);
        for (const abi::PageRegion& hole : std::span(holes, static_cast<size_t>(found))) {
            for (uint64_t address = hole.start; address < hole.end; address += page_bytes_) {
                uffdio_copy request{};
                request.dst = address;
                request.src = address_of(zeros);
                request.len = page_bytes_;
                uint32_t tries = 0;
                while (::ioctl(uffd_.get(), UFFDIO_COPY, &request) != 0 && errno != EEXIST)
                    if (errno != EAGAIN || ++tries == userfault::tries_max)
                        return userfault::refusal("UFFDIO_COPY", errno);
            }
        }
        next = scan.walk_end;
    }
    return {};
}

Result<std::span<std::byte>> EmbeddedHostDevice::open(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(chunk.session.value == 0 && chunk.chunk.value < poisoned_.size());
    CIUIC_CHECK(frame.value < frames_.size());
    Frame& record = frames_[frame.value];
    CIUIC_CHECK(record.user == none_index && record.place != Place::lent);
    if (record.place == Place::hollow) {
        CIUIC_TRY_STATUS(fill_holes(home_of(frame)));
        record.place = Place::home;
    }
    record.user = chunk.chunk.value;
    return std::span(home_of(frame), traits_.chunk_bytes);
}

Status EmbeddedHostDevice::lend(ChunkRef chunk, FrameIndex frame) {
    CIUIC_TRY_STATUS(move_chunk(shown_at(chunk), home_of(frame)));
    frames_[frame.value].place = Place::lent;
    return {};
}

Status EmbeddedHostDevice::reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                  uint64_t length_bytes, bool) {
    CIUIC_CHECK(offset_bytes == 0 && length_bytes == traits_.chunk_bytes);
    if (frame_of(chunk, frame).place == Place::home) return lend(chunk, frame);
    // Shown already: whoever waits met the chunk before it was shown, or pages that the program
    // discarded since.
    CIUIC_TRY_STATUS(fill_holes(shown_at(chunk)));
    wake(chunk);
    return {};
}

Status EmbeddedHostDevice::allow_write(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame_of(chunk, frame).place == Place::lent);
    return {};
}

Status EmbeddedHostDevice::fetch_home(ChunkRef chunk, FrameIndex frame) {
    Status moved;
    for (uint32_t tries = 0; tries < conceal_tries_max; ++tries) {
        moved = move_chunk(home_of(frame), shown_at(chunk));
        if (moved.has_value()) {
            frames_[frame.value].place = Place::home;
            return {};
        }
        // Whoever met the gap while the pages were on their way there and back has to look again.
        wake(chunk);
        if (moved.error().os_error != ENOENT) break;
        CIUIC_TRY_STATUS(fill_holes(shown_at(chunk)));
    }
    return moved;
}

Result<std::span<std::byte>> EmbeddedHostDevice::conceal(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame_of(chunk, frame).place == Place::lent);
    CIUIC_TRY_STATUS(fetch_home(chunk, frame));
    return std::span(home_of(frame), traits_.chunk_bytes);
}

Status EmbeddedHostDevice::restore(ChunkRef chunk, FrameIndex frame, bool) {
    CIUIC_CHECK(frame_of(chunk, frame).place == Place::home);
    return lend(chunk, frame);
}

void EmbeddedHostDevice::close(ChunkRef chunk, FrameIndex frame) {
    Frame& record = frame_of(chunk, frame);
    if (record.place == Place::lent && !fetch_home(chunk, frame).has_value()) {
        // Pinned, unmapped or made read-only by the program: its pages are dropped where they are
        // and the frame gets new ones.
        ::madvise(shown_at(chunk), traits_.chunk_bytes, MADV_DONTNEED_LOCKED);
        const bool whole = fill_holes(home_of(frame)).has_value();
        record.place = whole ? Place::home : Place::hollow;
    }
    record.user = none_index;
    wake(chunk);
}

Status EmbeddedHostDevice::poison(ChunkRef chunk) {
    CIUIC_CHECK(chunk.session.value == 0 && chunk.chunk.value < poisoned_.size());
    poisoned_[chunk.chunk.value] = true;
    return userfault::poison(uffd_.get(), address_of(shown_at(chunk)), traits_.chunk_bytes,
                             page_bytes_);
}

void EmbeddedHostDevice::unpoison(ChunkRef chunk) {
    CIUIC_CHECK(chunk.session.value == 0 && chunk.chunk.value < poisoned_.size());
    if (!poisoned_[chunk.chunk.value]) return;
    // Refused only where the program unmapped a part; the rest stays an error at every touch.
    const int refused = ::madvise(shown_at(chunk), traits_.chunk_bytes, MADV_DONTNEED_LOCKED);
    poisoned_[chunk.chunk.value] = refused != 0;
}

void EmbeddedHostDevice::detach(SessionIndex session) {
    CIUIC_CHECK(session.value == 0);
    for (const Frame& record : frames_) CIUIC_CHECK(record.user == none_index);
    ::mprotect(space_.data(), space_.size(), PROT_NONE);
    // Whoever waits looks again and finds the space closed.
    (void)userfault::wake(uffd_.get(), address_of(space_.data()), space_.size());
}

size_t EmbeddedHostDevice::drain(std::span<DeviceEvent> events) {
    size_t count = 0;
    while (count < events.size()) {
        uffd_msg messages[messages_per_read];
        const size_t wanted = std::min(events.size() - count, std::size(messages));
        const size_t got = userfault::read_messages(uffd_.get(), {messages, wanted});
        if (got == 0) break;
        for (const uffd_msg& message : std::span(messages, got)) {
            CIUIC_CHECK(message.event == UFFD_EVENT_PAGEFAULT);
            const uint64_t address = message.arg.pagefault.address;
            const uint64_t offset_bytes = address - address_of(space_.data());
            // A fault in the arena is one of ours that touched a frame it had lent: the toucher
            // would wait for ever.
            CIUIC_CHECK(offset_bytes < space_.size());
            DeviceEvent& event = events[count++];
            event.kind = DeviceEventKind::missing;
            event.is_write = (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0;
            event.chunk = {SessionIndex{0},
                           ChunkIndex{static_cast<uint32_t>(offset_bytes / traits_.chunk_bytes)}};
            event.offset_bytes = offset_bytes % traits_.chunk_bytes;
        }
    }
    return count;
}

}  // namespace ciuic
