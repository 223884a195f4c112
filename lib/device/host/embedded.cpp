// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded.hpp"

#include "base/check.hpp"
#include "device/host/rung.hpp"
#include "device/host/userfault.hpp"
#include "device/host/userfault_abi.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ciuic {

namespace {

constexpr size_t messages_per_read = 16;
uint64_t address_of(const std::byte* place) { return reinterpret_cast<uint64_t>(place); }

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
    if (options.pieces.empty()) return {};
    if (!is_power_of_two(options.piece_bytes) || options.piece_bytes > chunk_bytes ||
        options.piece_bytes % static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) != 0 ||
        options.pieces.size() % options.piece_bytes != 0 ||
        address_of(options.pieces.data()) % options.piece_bytes != 0)
        return Error{Errc::invalid, 0, "the memory for pieces is not made of whole, aligned ones"};
    return {};
}

}  // namespace

bool EmbeddedHostDevice::can_lend(const HostFeatures& features) {
    return features.move && features.poison;
}

Result<std::unique_ptr<EmbeddedHostDevice>>
EmbeddedHostDevice::create(const EmbeddedHostOptions& options) {
    CIUIC_TRY_STATUS(check_options(options));
    if (!options.features.userfault) return options.features.refusal;
    if (!can_lend(options.features))
        return Error{Errc::unsupported, 0, "lending frames needs Linux 6.8"};
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
    if (!options.pieces.empty()) {
        CIUIC_TRY_STATUS(keep_from_children(options.pieces));
        CIUIC_TRY_STATUS(
            register_space(uffd.get(), options.pieces.data(), options.pieces.size(), false));
    }
    return std::unique_ptr<EmbeddedHostDevice>(
        new EmbeddedHostDevice(options, std::move(uffd), std::move(pagemap)));
}

EmbeddedHostDevice::EmbeddedHostDevice(const EmbeddedHostOptions& options, UniqueFd uffd,
                                       UniqueFd pagemap)
    : space_(options.space), page_bytes_(static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))),
      uffd_(std::move(uffd)), pagemap_(std::move(pagemap)),
      frames_(options.arena, options.chunk_bytes, uffd_.get(), pagemap_.get()),
      users_(frames_.slots(), none_index), poisoned_(space_.size() / options.chunk_bytes) {
    if (!options.pieces.empty())
        pieces_.emplace(EmbeddedPiecesOptions{.memory = options.pieces,
                                              .space = space_,
                                              .chunk_bytes = options.chunk_bytes,
                                              .piece_bytes = options.piece_bytes},
                        uffd_.get(), pagemap_.get());
    traits_.name = "host-embedded";
    traits_.frame_kind = options.chunk_bytes >= 2 * MiB ? "anonymous-huge" : "anonymous-4k";
    traits_.rung = rung_name(HostRung::moves);
    traits_.frames = frames_.slots();
    traits_.chunk_bytes = options.chunk_bytes;
    traits_.reveal_bytes = options.chunk_bytes;
}

EmbeddedHostDevice::~EmbeddedHostDevice() {
    // When the descriptor closes, missing pages would read as zeros.
    ::mprotect(space_.data(), space_.size(), PROT_NONE);
}

uint32_t EmbeddedHostDevice::slot_of(ChunkRef chunk, FrameIndex frame) const {
    CIUIC_CHECK(frame.value < users_.size() && chunk.session.value == 0);
    CIUIC_CHECK(users_[frame.value] == chunk.chunk.value);
    return frame.value;
}

std::byte* EmbeddedHostDevice::shown_at(ChunkRef chunk) const {
    return space_.data() + chunk.chunk.value * traits_.chunk_bytes;
}

void EmbeddedHostDevice::wake(ChunkRef chunk) {
    // Fails only if the program unmapped the range, and then nobody waits there.
    (void)userfault::wake(uffd_.get(), address_of(shown_at(chunk)), traits_.chunk_bytes);
}

Result<std::span<std::byte>> EmbeddedHostDevice::open(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(chunk.session.value == 0 && chunk.chunk.value < poisoned_.size());
    CIUIC_CHECK(frame.value < users_.size() && users_[frame.value] == none_index);
    CIUIC_TRY(const std::span<std::byte> bytes, frames_.open(frame.value));
    users_[frame.value] = chunk.chunk.value;
    return bytes;
}

Status EmbeddedHostDevice::lend(ChunkRef chunk, FrameIndex frame) {
    if (pieces_) pieces_->free_page_table(chunk);
    return frames_.lend(slot_of(chunk, frame), shown_at(chunk));
}

Status EmbeddedHostDevice::reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                  uint64_t length_bytes, bool) {
    CIUIC_CHECK(offset_bytes == 0 && length_bytes == traits_.chunk_bytes);
    const uint32_t slot = slot_of(chunk, frame);
    if (!frames_.is_lent(slot)) return lend(chunk, frame);
    // Shown already: whoever waits met the chunk before it was shown, or pages that the program
    // discarded since.
    CIUIC_TRY_STATUS(frames_.fill_holes(shown_at(chunk)));
    wake(chunk);
    return {};
}

Status EmbeddedHostDevice::allow_write(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frames_.is_lent(slot_of(chunk, frame)));
    return {};
}

Result<std::span<std::byte>> EmbeddedHostDevice::conceal(ChunkRef chunk, FrameIndex frame) {
    const uint32_t slot = slot_of(chunk, frame);
    CIUIC_TRY_STATUS(frames_.take_back(slot, shown_at(chunk)));
    return frames_.bytes(slot);
}

Status EmbeddedHostDevice::restore(ChunkRef chunk, FrameIndex frame, bool) {
    return lend(chunk, frame);
}

void EmbeddedHostDevice::close(ChunkRef chunk, FrameIndex frame) {
    const uint32_t slot = slot_of(chunk, frame);
    if (frames_.is_lent(slot)) frames_.force_back(slot, shown_at(chunk));
    users_[slot] = none_index;
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
    for (const uint32_t user : users_) CIUIC_CHECK(user == none_index);
    CIUIC_CHECK(!pieces_ || pieces_->are_all_closed());
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
