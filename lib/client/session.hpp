// SPDX-License-Identifier: Apache-2.0
//
// A session as a program has it: addresses, regions, pins, and the way to the engine.
//
// Hit path: acquire adds a pin to each chunk's word and reads the chunk's state; resident means go.
// Both are sequentially consistent: either this side sees that the engine has begun to move the
// chunk out and asks for it, or the engine sees the pin and gives the chunk back.
//
// Not here: C types and error texts (api), where the engine runs (connection), forks (fork_guard).
// Threads: any. mutex_ guards addresses and regions, in memory that is always present; nobody waits
// for the engine while holding it.
#pragma once

#include "ciuic/vmm.h"
#include "client/address_allocator.hpp"
#include "client/connection.hpp"
#include "client/request_channel.hpp"
#include "engine/ports.hpp"
#include "residency/chunk_state.hpp"

#include <atomic>
#include <memory>
#include <mutex>

namespace ciuic {

class ProgramSession;

}  // namespace ciuic

struct ciuic_region {
    ciuic::ProgramSession* session;  // null: not in use
    uint32_t first;                  // chunk; next in the free list while not in use
    std::atomic<uint32_t> chunks;
};

namespace ciuic {

struct ChunkSpan {
    uint32_t first = 0;
    uint32_t count = 0;
};

class ProgramSession {
public:
    // Error: io (no address space for the tables).
    static Result<std::unique_ptr<ProgramSession>> create(std::unique_ptr<Connection> connection);

    Result<ciuic_region*> create_region(uint64_t size_bytes, uint64_t reserve_bytes);
    Status destroy_region(ciuic_region& region);
    Status resize_region(ciuic_region& region, uint64_t size_bytes);

    Result<void*> allocate(uint64_t size_bytes);
    Status free(const void* memory);
    Status resize(const void* memory, uint64_t size_bytes);
    uint64_t usable_size(const void* memory);

    // The chunks that the range touches. Errors: invalid, range.
    Status resolve(const ciuic_range& range, ChunkSpan& span) const;

    // Pins the chunks and brings them in. On error nothing is pinned.
    // Errors: busy (too many pins), no_memory (more than the device holds), and the engine's.
    Status acquire(ChunkSpan span, bool is_write = false);
    // Error: invalid (a chunk has no pin; those before it have been released).
    Status release(ChunkSpan span);

    Status prefetch(ChunkSpan span) { return ask(wire::RequestKind::prefetch, span); }
    Status evict(ChunkSpan span) { return ask(wire::RequestKind::evict, span); }
    // Error: busy (pinned).
    Status clear(ChunkSpan span);

    void fill(ciuic_statistics& statistics);

    bool owns(const void* address) const { return offset_of(address) < space_bytes_; }
    void* address_of(uint32_t chunk) const { return base_ + (uint64_t{chunk} << chunk_shift_); }
    uint64_t chunk_bytes() const { return uint64_t{1} << chunk_shift_; }
    uint32_t frames_max() const { return frames_max_; }
    bool starts_at_chunk(const ciuic_range& range) const;

    // Set in a forked child: the session is the parent's.
    bool is_forked() const { return forked_.load(std::memory_order_relaxed); }
    // What the interposer counts for reports.
    wire::ClientCounters& counters() { return connection_->client_segment().counters(); }

    // fork_guard.cpp: before and after a fork.
    void lock_for_fork() { mutex_.lock(); }
    void unlock_after_fork() { mutex_.unlock(); }
    void abandon_in_child();

private:
    // Blocks that belong to a region, and those that ciuic_free may free.
    static constexpr uint32_t tag_allocation = 0;
    static constexpr uint32_t tag_region = 1;

    explicit ProgramSession(std::unique_ptr<Connection> connection, AddressAllocator addresses,
                            Mapping regions);

    void count_states(ciuic_statistics& statistics);
    ChunkState state_of(uint32_t chunk) const {
        return static_cast<ChunkState>(states_[chunk].load(std::memory_order_seq_cst) & 0xff);
    }
    uint64_t offset_of(const void* address) const {
        return reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(base_);
    }
    Result<uint32_t> chunks_of(uint64_t size_bytes) const;
    Result<uint32_t> start_of(const void* memory) const;  // mutex_ held
    Status ask(wire::RequestKind kind, ChunkSpan span);
    Status ask_promise(ChunkSpan span);
    void declare(ChunkSpan span, bool is_write);
    Status fetch_missing(ChunkSpan missing, ChunkSpan pinned);
    void unpin(ChunkSpan span);
    bool is_pinned(ChunkSpan span) const;

    Result<uint32_t> take_addresses(uint32_t used, uint32_t slack, uint32_t tag);
    Result<ChunkSpan> retire(uint32_t first);
    Status give_back(ChunkSpan retired);
    Status resize_block(uint32_t first, uint32_t used, uint32_t wanted);
    ciuic_region* take_region();
    void give_back(ciuic_region& region);

    // Far below what the 16 bits of a pin word hold: between the addition that goes too far and its
    // undoing, others may add theirs.
    static constexpr uint32_t pins_max = 0x8000;

    // What the hit path reads.
    std::atomic<bool> forked_{false};
    uint32_t chunk_shift_ = 0;
    uint32_t frames_max_ = 0;
    uint64_t space_bytes_ = 0;
    std::byte* base_ = nullptr;
    const std::atomic<uint32_t>* states_ = nullptr;
    std::atomic<uint32_t>* pins_ = nullptr;
    AccessLog* declared_uses_ = nullptr;

    std::unique_ptr<Connection> connection_;
    RequestChannel channel_;
    std::mutex mutex_;
    AddressAllocator addresses_;
    Mapping region_memory_;      // limits::regions_per_session_max of them, sparse
    uint32_t regions_used_ = 0;  // entries ever used
    uint32_t free_region_ = none_index;
};

// The hit path, for the compiler to see as a whole.

inline Status ProgramSession::resolve(const ciuic_range& range, ChunkSpan& span) const {
    uint64_t offset = range.offset_bytes;
    uint64_t size = space_bytes_;
    uint32_t first = 0;
    if (range.region) {
        if (range.region->session != this)
            return Error{Errc::invalid, 0, "the region is not one of this session"};
        first = range.region->first;
        size = uint64_t{range.region->chunks.load(std::memory_order_relaxed)} << chunk_shift_;
    } else {
        offset -= reinterpret_cast<uintptr_t>(base_);
    }
    if (range.length_bytes == 0) return Error{Errc::invalid, 0, "the range is empty"};
    if (offset >= size || range.length_bytes > size - offset)
        return Error{Errc::range, 0,
                     range.region ? "the range leaves its region"
                                  : "the address range leaves the session's address space"};
    const auto begin = static_cast<uint32_t>(offset >> chunk_shift_);
    const auto last = static_cast<uint32_t>((offset + range.length_bytes - 1) >> chunk_shift_);
    span = {first + begin, last - begin + 1};
    return {};
}

inline Status ProgramSession::acquire(ChunkSpan span, bool is_write) {
    const uint32_t end = span.first + span.count;
    for (uint32_t chunk = span.first; chunk < end; ++chunk) {
        const uint32_t before =
            pins_[chunk].fetch_add(SharedWords::pin_one, std::memory_order_seq_cst);
        if ((before & SharedWords::pin_mask) >= pins_max) [[unlikely]] {
            unpin({span.first, chunk - span.first + 1});
            return Error{Errc::busy, 0, "a chunk is acquired 32768 times; release some first"};
        }
    }
    if (declared_uses_) declare(span, is_write);
    for (uint32_t chunk = span.first; chunk < end; ++chunk)
        if (state_of(chunk) != ChunkState::resident) [[unlikely]]
            return fetch_missing({chunk, end - chunk}, span);
    return {};
}

inline Status ProgramSession::release(ChunkSpan span) {
    const uint32_t end = span.first + span.count;
    for (uint32_t chunk = span.first; chunk < end; ++chunk) {
        const uint32_t before = pins_[chunk].fetch_sub(1, std::memory_order_seq_cst);
        if ((before & SharedWords::pin_mask) == 0) [[unlikely]] {
            pins_[chunk].fetch_add(1, std::memory_order_seq_cst);
            return Error{Errc::invalid, 0, "a chunk of the range is not acquired"};
        }
    }
    return {};
}

}  // namespace ciuic
