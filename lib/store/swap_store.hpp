// SPDX-License-Identifier: Apache-2.0
//
// Swap store: keeps the bytes of chunks that are not on the device, and the proof that they are
// intact.
//
// An extent holds one chunk. Its tags, one per block, are kept in memory, never in the file: a
// write that landed in the wrong place would carry a tag that matches itself. Short transfers are
// completed and failed ones repeated here; the engine sees one completion per request.
//
// Not here: which chunk to evict (policy/), hashing of bytes (the engine's workers call tag.hpp),
// opening and fencing the file (swap_file.hpp).
// Threads: one, the engine's. No allocation after construction.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "io/io.hpp"
#include "store/extent.hpp"
#include "store/extent_allocator.hpp"
#include "store/striping.hpp"

#include <array>
#include <memory>
#include <span>

namespace ciuic {

struct StoreOptions {
    uint64_t capacity_bytes = 0;  // of the file; a multiple of chunk_bytes
    uint64_t chunk_bytes = 0;
    uint64_t block_bytes = 0;  // one tag each; divides chunk_bytes
    Nanos io_deadline = limits::io_deadline;
    uint32_t retries = limits::io_retries_max;  // after EIO, per request
    Striping striping{};                        // chunk by chunk; usually all of it is one medium
};

struct StoreCompletion {
    uint64_t token = 0;
    // ok; io (the disk refused after all retries, or transferred nothing, or was asked to end a
    // late request and did).
    Status status;
};

struct StoreStats {
    uint64_t bytes_written = 0;  // completed, without repeats
    uint64_t bytes_read = 0;
    uint64_t retries = 0;      // repeats after EIO, and continuations of short transfers
    uint64_t failures = 0;     // requests that failed for good
    uint64_t late = 0;         // requests that outlived their deadline (cancel was asked)
    uint64_t places_used = 0;  // now, the quarantined not counted
    uint64_t places_quarantined = 0;
};

class SwapStore {
public:
    SwapStore(Io& io, Clock& clock, const StoreOptions& options);
    ~SwapStore();

    // Most chunks the store can hold at once, quarantined places not counted: what promises may
    // count on.
    uint32_t chunks_max() const;
    uint64_t chunk_bytes() const { return options_.chunk_bytes; }
    uint64_t block_bytes() const { return options_.block_bytes; }

    // A place for one chunk. Error: no_memory.
    Result<Extent> allocate();
    // No request on the extent may be in flight: a late write would land on its next owner.
    void release(Extent extent);
    // A place that refused a write is never handed out again. Instead of release().
    void quarantine(Extent extent);

    // It lies on the slower of two media.
    bool is_slow(Extent extent) const {
        return options_.striping.is_slow(extent.first_granule / chunk_granules());
    }

    // The tags of an extent's blocks: chunk_bytes / block_bytes entries, in order.
    std::span<uint64_t> tags(Extent extent);

    // Start a transfer of [offset, offset + data.size()) of the extent; offset and size are
    // multiples of granule_bytes. `data` belongs to the store until the completion with `token`
    // arrives. Error: busy (all requests are in flight; try after poll()).
    Status read(Extent extent, uint64_t offset_bytes, std::span<std::byte> data, uint64_t token);
    Status write(Extent extent, uint64_t offset_bytes, std::span<const std::byte> data,
                 uint64_t token);

    // Hands started requests to the kernel.
    void flush() { io_.flush(); }

    // Completed requests, oldest first. Also notices late requests and asks for their end; a late
    // request keeps its buffer until its result arrives.
    size_t poll(std::span<StoreCompletion> completions);

    uint32_t in_flight() const { return in_flight_; }
    const StoreStats& stats() const { return stats_; }

private:
    // One caller's transfer; what the disk is asked for is [done_bytes, length_bytes) of it.
    struct Request {
        bool busy = false;
        bool late = false;  // cancel was asked: no more repeats
        IoOp op = IoOp::read;
        Extent extent;
        uint64_t offset_bytes = 0;  // in the file
        std::byte* data = nullptr;
        uint64_t length_bytes = 0;
        uint64_t done_bytes = 0;
        uint32_t repeats = 0;
        uint64_t token = 0;  // the caller's; the disk knows the request by its index
        Nanos deadline;
    };

    uint32_t chunk_granules() const;
    Status start(IoOp op, Extent extent, uint64_t offset_bytes, std::byte* data,
                 uint64_t length_bytes, uint64_t token);
    Status submit(uint32_t index);
    void resume(uint32_t index);
    bool advance(uint32_t index, int64_t result, Status& status);
    void cancel_late();

    Io& io_;
    Clock& clock_;
    StoreOptions options_;
    StoreStats stats_;
    ExtentAllocator extents_;
    uint32_t in_flight_ = 0;
    std::unique_ptr<uint64_t[]> tags_;
    std::unique_ptr<Request[]> requests_;  // io_.depth() of them
};

}  // namespace ciuic
