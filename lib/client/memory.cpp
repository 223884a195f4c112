// SPDX-License-Identifier: Apache-2.0
//
// Regions and allocations: addresses from the session's allocator, promises from the engine.
#include "base/check.hpp"
#include "client/session.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace ciuic {

Result<uint32_t> ProgramSession::chunks_of(uint64_t size_bytes) const {
    if (size_bytes == 0) return Error{Errc::invalid, 0, "the size is 0"};
    if (size_bytes > space_bytes_)
        return Error{Errc::no_memory, 0,
                     "the size is larger than the session's address space (address_bytes)"};
    return static_cast<uint32_t>(round_up(size_bytes, chunk_bytes()) >> chunk_shift_);
}

// Addresses with the engine's promise behind those in use. Slack is had only while it lasts.
Result<uint32_t> ProgramSession::take_addresses(uint32_t used, uint32_t slack, uint32_t tag) {
    std::optional<uint32_t> first;
    {
        const std::lock_guard lock(mutex_);
        first = addresses_.allocate(used, slack, tag);
        if (!first && tag == tag_allocation) first = addresses_.allocate(used, 0, tag);
    }
    if (!first)
        return Error{Errc::no_memory, 0,
                     "no run of free addresses is long enough; open with more address_bytes"};
    const Status promised = ask_promise({*first, used});
    if (promised.has_value()) return *first;
    const std::lock_guard lock(mutex_);
    addresses_.release(*first);
    return promised.error();
}

Status ProgramSession::ask_promise(ChunkSpan span) {
    // Whoever touched the place before it was promised got a failure, and so would every later
    // touch: the marks lie in this process's page tables, where only it can clear them.
    ::madvise(address_of(span.first), uint64_t{span.count} << chunk_shift_, MADV_DONTNEED_LOCKED);
    const Status answer = channel_.call(wire::RequestKind::promise, span.first, span.count);
    if (answer.error().code == Errc::no_memory)
        return Error{Errc::no_memory, 0,
                     "the store has no room for so much; free some, or give it more store_bytes"};
    return answer;
}

// From here on nobody else can free the block or use it. mutex_ held.
Result<ChunkSpan> ProgramSession::retire(uint32_t first) {
    const ChunkSpan span{first, addresses_.used(first)};
    if (is_pinned(span)) return Error{Errc::busy, 0, "a part of it is acquired"};
    addresses_.resize(first, 0);
    return span;
}

// The chunks lose their bytes and promises, then the block's addresses are free. An answer that
// does not come leaves them taken for good: they may still be in use.
Status ProgramSession::give_back(ChunkSpan retired) {
    CIUIC_TRY_STATUS(ask(wire::RequestKind::discard, retired));
    const std::lock_guard lock(mutex_);
    addresses_.release(retired.first);
    return {};
}

Status ProgramSession::resize_block(uint32_t first, uint32_t used, uint32_t wanted) {
    if (wanted == used) return {};
    if (wanted < used) {
        const ChunkSpan cut{first + wanted, used - wanted};
        if (is_pinned(cut)) return Error{Errc::busy, 0, "what would be cut off is acquired"};
        CIUIC_TRY_STATUS(ask(wire::RequestKind::discard, cut));
        const std::lock_guard lock(mutex_);
        addresses_.resize(first, wanted);
        return {};
    }
    {
        const std::lock_guard lock(mutex_);
        if (!addresses_.resize(first, wanted))
            return Error{Errc::no_memory, 0,
                         "the addresses behind are taken: it cannot grow at its place"};
    }
    const Status promised = ask_promise({first + used, wanted - used});
    if (promised.has_value()) return {};
    const std::lock_guard lock(mutex_);
    addresses_.resize(first, used);
    return promised;
}

ciuic_region* ProgramSession::take_region() {
    const std::lock_guard lock(mutex_);
    auto* regions = reinterpret_cast<ciuic_region*>(region_memory_.data());
    if (free_region_ != none_index) {
        ciuic_region& region = regions[free_region_];
        free_region_ = region.first;
        return &region;
    }
    if (regions_used_ == limits::regions_per_session_max) return nullptr;
    return &regions[regions_used_++];
}

void ProgramSession::give_back(ciuic_region& region) {
    const std::lock_guard lock(mutex_);
    region.session = nullptr;
    region.first = free_region_;
    free_region_ =
        static_cast<uint32_t>(&region - reinterpret_cast<ciuic_region*>(region_memory_.data()));
}

Result<ciuic_region*> ProgramSession::create_region(uint64_t size_bytes, uint64_t reserve_bytes) {
    CIUIC_TRY(const uint32_t chunks, chunks_of(size_bytes));
    CIUIC_TRY(const uint32_t reserved, chunks_of(std::max(size_bytes, reserve_bytes)));
    ciuic_region* region = take_region();
    if (!region)
        return Error{Errc::no_memory, 0, "the session has 65536 regions; destroy some first"};
    static_assert(limits::regions_per_session_max == 65536);
    const auto first = take_addresses(chunks, reserved - chunks, tag_region);
    if (!first.has_value()) {
        give_back(*region);
        return first.error();
    }
    region->first = *first;
    region->chunks.store(chunks, std::memory_order_relaxed);
    region->session = this;
    return region;
}

Status ProgramSession::destroy_region(ciuic_region& region) {
    ChunkSpan retired;
    {
        const std::lock_guard lock(mutex_);
        CIUIC_TRY(retired, retire(region.first));
    }
    CIUIC_TRY_STATUS(give_back(retired));
    give_back(region);
    return {};
}

Status ProgramSession::resize_region(ciuic_region& region, uint64_t size_bytes) {
    CIUIC_TRY(const uint32_t wanted, chunks_of(size_bytes));
    const uint32_t chunks = region.chunks.load(std::memory_order_relaxed);
    CIUIC_TRY_STATUS(resize_block(region.first, chunks, wanted));
    region.chunks.store(wanted, std::memory_order_relaxed);
    return {};
}

// As many chunks again are kept behind: a block that is grown step by step is copied log n times.
Result<void*> ProgramSession::allocate(uint64_t size_bytes) {
    CIUIC_TRY(const uint32_t chunks, chunks_of(size_bytes));
    CIUIC_TRY(const uint32_t first, take_addresses(chunks, chunks, tag_allocation));
    return address_of(first);
}

Result<uint32_t> ProgramSession::start_of(const void* memory) const {
    const uint64_t offset = offset_of(memory);
    const auto chunk = static_cast<uint32_t>(offset >> chunk_shift_);
    if (offset >= space_bytes_ || (offset & (chunk_bytes() - 1)) != 0 ||
        !addresses_.is_block(chunk) || addresses_.tag(chunk) != tag_allocation ||
        addresses_.used(chunk) == 0)
        return Error{Errc::invalid, 0, "the address is not the start of an allocation"};
    return chunk;
}

Status ProgramSession::free(const void* memory) {
    ChunkSpan retired;
    {
        const std::lock_guard lock(mutex_);
        CIUIC_TRY(const uint32_t first, start_of(memory));
        CIUIC_TRY(retired, retire(first));
    }
    return give_back(retired);
}

Status ProgramSession::resize(const void* memory, uint64_t size_bytes) {
    CIUIC_TRY(const uint32_t wanted, chunks_of(size_bytes));
    uint32_t first = 0;
    uint32_t used = 0;
    {
        const std::lock_guard lock(mutex_);
        CIUIC_TRY(first, start_of(memory));
        used = addresses_.used(first);
    }
    return resize_block(first, used, wanted);
}

uint64_t ProgramSession::usable_size(const void* memory) {
    const std::lock_guard lock(mutex_);
    const auto first = start_of(memory);
    return first.has_value() ? uint64_t{addresses_.used(*first)} << chunk_shift_ : 0;
}

}  // namespace ciuic
