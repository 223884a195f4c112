// SPDX-License-Identifier: Apache-2.0
//
// The two shared segments of a session: made by the daemon, mapped by the client.
//
// Both are sealed against a change of size, so that no peer can make an access to them fail. The
// engine segment is also sealed against every writer but the daemon's own mapping. Every page is
// there from the start: neither side's access can fail for want of memory.
//
// Not here: how requests pass (request_ring.hpp).
// Threads: creation any; the words are atomics. No heap: the client's half runs inside strangers'
// processes. The mappings are not inherited by fork: in a child, let go of them without unmapping
// (abandon()), the addresses may have been given to something else.
#pragma once

#include "base/mapping.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "protocol/wire.hpp"

#include <span>

namespace ciuic {

struct SegmentShape {
    uint32_t chunks = 0;
    uint64_t chunk_bytes = 0;
};

class EngineSegment {
public:
    // The daemon's half: writable. Errors: no_memory, io.
    static Result<EngineSegment> create(const SegmentShape& shape);
    // The client's half: read-only, only the const members may be used. `fd` stays the caller's.
    // Errors: invalid (size, seals or header differ from `shape`), io.
    static Result<EngineSegment> map(int fd, const SegmentShape& shape);

    EngineSegment() = default;
    explicit operator bool() const { return static_cast<bool>(memory_); }

    const wire::EnginePage& page() const { return *at<wire::EnginePage>(0); }
    wire::EnginePage& page() { return *at<wire::EnginePage>(0); }
    const wire::Statistics& statistics() const { return *at<wire::Statistics>(statistics_at); }
    wire::Statistics& statistics() { return *at<wire::Statistics>(statistics_at); }
    std::span<const std::atomic<uint32_t>> states() const {
        return {at<std::atomic<uint32_t>>(states_at), chunks_};
    }
    std::span<std::atomic<uint32_t>> states() {
        return {at<std::atomic<uint32_t>>(states_at), chunks_};
    }

    int fd() const { return fd_.get(); }  // -1 in the client
    std::span<std::byte> bytes() const { return memory_.bytes(); }
    void abandon() { memory_.release(); }

private:
    static constexpr uint64_t statistics_at = wire::EngineLayout::statistics_offset;
    static constexpr uint64_t states_at = wire::EngineLayout::states_offset;
    template <typename T> T* at(uint64_t offset_bytes) const {
        return reinterpret_cast<T*>(memory_.data() + offset_bytes);
    }

    UniqueFd fd_;
    Mapping memory_;
    uint32_t chunks_ = 0;
};

class ClientSegment {
public:
    // The daemon's half. Errors: no_memory, io.
    static Result<ClientSegment> create(const SegmentShape& shape);
    // The client's half, writable. `fd` stays the caller's. Errors: invalid (size, seals or header
    // differ from `shape`), io.
    static Result<ClientSegment> map(int fd, const SegmentShape& shape);

    ClientSegment() = default;
    explicit operator bool() const { return static_cast<bool>(memory_); }

    using Ring = std::span<Hostile<wire::Request>, limits::ring_entries>;
    Hostile<uint32_t>& request_tail() { return page().request_tail; }
    Ring ring() { return Ring{at<Hostile<wire::Request>>(ring_at), limits::ring_entries}; }
    wire::ClientCounters& counters() { return page().counters; }
    const wire::ClientCounters& counters() const { return page().counters; }
    std::span<std::atomic<uint32_t>> pins() {
        return {at<std::atomic<uint32_t>>(pins_at), chunks_};
    }

    int fd() const { return fd_.get(); }  // -1 in the client
    std::span<std::byte> bytes() const { return memory_.bytes(); }
    void abandon() { memory_.release(); }

private:
    static constexpr uint64_t ring_at = wire::ClientLayout::ring_offset;
    static constexpr uint64_t pins_at = wire::ClientLayout::pins_offset;
    wire::ClientPage& page() const { return *at<wire::ClientPage>(0); }
    template <typename T> T* at(uint64_t offset_bytes) const {
        return reinterpret_cast<T*>(memory_.data() + offset_bytes);
    }

    UniqueFd fd_;
    Mapping memory_;
    uint32_t chunks_ = 0;  // never read back from the segment
};

}  // namespace ciuic
