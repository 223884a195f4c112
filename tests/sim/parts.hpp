// SPDX-License-Identifier: Apache-2.0
//
// What the simulated machine's parts say about each other.
#pragma once

#include "base/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic::sim {

// What the simulator does to the engine.
enum class Fault : uint8_t {
    short_transfer,     // fewer bytes than asked for
    io_error,           // EIO, which goes away
    late,               // a completion withheld, perhaps beyond its deadline
    torn,               // a part of a write did not land; success reported
    misdirected_write,  // landed elsewhere; success reported
    misdirected_read,   // read from elsewhere; success reported
    rot,                // a bit of the medium flipped
    unreadable,         // a granule answers reads with EIO until it is written again
    bad_granule,        // a granule that refuses every write
    open_refused,       // the machine had no memory for a frame
    device_busy,        // a device call to be tried again
    hidden,             // a shown block vanished from the program's page tables
    duplicate_event,
    late_event,
    spurious_wake,
    death,  // a program was killed
    clock_jump,
};
inline constexpr size_t faults = 17;
const char* fault_text(Fault fault);

class FaultCounts {
public:
    void add(Fault fault) { ++counts_[static_cast<size_t>(fault)]; }
    uint64_t operator[](Fault fault) const { return counts_[static_cast<size_t>(fault)]; }
    uint64_t total() const;

private:
    std::array<uint64_t, faults> counts_{};
};

// Whose bytes: a chunk of one life of one program. Lives are numbered from 1 and never repeat.
struct Owner {
    uint32_t life = 0;  // 0: nobody's
    uint32_t chunk = 0;
    constexpr bool operator==(const Owner&) const = default;
};

// Chances are out of this many.
inline constexpr uint32_t chance_base = 1024;

// Called by the parts inside their ports, while the engine is in the middle of something: programs
// and hardware go on there as they do on a real machine.
class Between {
public:
    virtual ~Between() = default;
    virtual void between() = 0;
    // The engine poisons a chunk, now.
    virtual void poisoned(ChunkRef chunk) = 0;
};

// The part that hands out frames, as the disk sees it.
class FrameOwners {
public:
    virtual ~FrameOwners() = default;
    virtual Owner owner_of(const std::byte* data) const = 0;
    // The program sees some of these bytes.
    virtual bool is_shown(std::span<const std::byte> bytes) const = 0;
    // A read into the frame was disturbed. False: the bytes are no frame's.
    virtual bool count_read_fault(const std::byte* data) = 0;
};

// The parts that work on frames behind the engine's back, as the device sees them.
class FrameUsers {
public:
    virtual ~FrameUsers() = default;
    virtual bool writes_to(std::span<const std::byte> bytes) const = 0;
    virtual bool reads_from(std::span<const std::byte> bytes) const = 0;
};

constexpr bool overlap(const std::byte* a, uint64_t a_bytes, std::span<const std::byte> b) {
    return a < b.data() + b.size() && b.data() < a + a_bytes;
}

}  // namespace ciuic::sim
