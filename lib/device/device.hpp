// SPDX-License-Identifier: Apache-2.0
//
// The device port: how a chunk's frame is filled, shown to the program, and taken away again.
//
// A frame is one chunk's worth of device memory. The engine decides which chunk has which frame;
// the device only carries it out. In every call `frame` is the frame that the engine assigned to
// `chunk`; frames are numbered 0 .. traits().frames - 1.
//
//            open            reveal (whole chunk)          conceal
//   closed --------> opened ----------------------> shown ---------> concealed
//      ^ <--close------'  '-reveal (a block)-'         ^ <--restore------'  |
//      '----------------------- close --------------------------------------'
//
// opened     the engine alone reads and writes the bytes; the program's touches wait
// shown      the program reads (and, if writable, writes) the bytes
// concealed  the bytes do not change any more: the program's writes wait (and its reads, where
//            the device takes the frame away)
//
// Adapters: host/embedded (frames move in and out of the program's own address space), host/shared
// (frames are pages of a memfd), the simulator's. All pass tests/contract/device_contract.
//
// Not here: which chunk to move (policy/), when (engine/), where the bytes rest (store/).
// Threads: one, the engine's. Nothing blocks; nothing allocates memory after construction.
#pragma once

#include "base/result.hpp"
#include "base/units.hpp"
#include "device/pieces.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace ciuic {

struct DeviceTraits {
    const char* name = "";        // "host-embedded", "host-shared", ...
    const char* frame_kind = "";  // what frames are made of: "hugetlb", "memfd-4k", ...
    const char* rung = "";        // how much of its kernel's help it has: "moves", "base", ...
    uint32_t frames = 0;
    uint64_t chunk_bytes = 0;
    // The smallest part of a chunk that reveal() takes: block_bytes of the store where the device
    // can show a chunk in parts, chunk_bytes where it cannot.
    uint64_t reveal_bytes = 0;
    // True: a program's first write to a chunk revealed read-only is reported as a write fault.
    // False: chunks are always writable, and whether they were written is found by comparing tags.
    bool sees_writes = false;
    // True: open_part() can be used.
    bool opens_parts = false;
    // True: open() gives zeroed bytes, so a chunk that reads as zero needs no work.
    bool opens_zeroed = false;
    // True: the program can get at the bytes of a frame that it is not shown, if it is set on harm:
    // that they are not what was written proves nothing against the store.
    bool program_reaches_frames = false;
};

enum class DeviceEventKind : uint8_t {
    missing,  // the program waits at a place that is not shown
    write,    // the program waits to write to what is shown read-only
};

struct DeviceEvent {
    DeviceEventKind kind = DeviceEventKind::missing;
    bool is_write = false;  // the access is a write (known for both kinds)
    ChunkRef chunk;
    uint64_t offset_bytes = 0;  // of the access, within the chunk
};

class Device {
public:
    virtual ~Device() = default;

    virtual const DeviceTraits& traits() const = 0;

    // The frame's bytes, backed by memory that is present, for the engine alone. The content is
    // undefined unless traits().opens_zeroed.
    // Errors: no_memory (the machine refuses the memory), io.
    virtual Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) = 0;

    // As open(), of a part alone: only it is backed, and may be revealed. Again, for an opened
    // chunk: of another part of it. Offset and length are multiples of traits().reveal_bytes. A
    // chunk that was opened in parts is never concealed. Where traits().opens_parts only.
    // Errors: no_memory, io (nothing has changed); unsupported.
    virtual Result<std::span<std::byte>> open_part(ChunkRef, FrameIndex, uint64_t /*offset_bytes*/,
                                                   uint64_t /*length_bytes*/) {
        return Error{Errc::unsupported, 0, "chunks of this device are opened whole"};
    }

    // Shows [offset, offset + length) to the program and wakes whoever waits there. Offset and
    // length are multiples of traits().reveal_bytes; blocks may be shown one after the other, and
    // again. `writable` is ignored where !sees_writes.
    // Errors: busy (try again), disconnected (the program is gone), io.
    virtual Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                          uint64_t length_bytes, bool writable) = 0;

    // Lets the program write to a chunk that was shown read-only, and wakes it.
    virtual Status allow_write(ChunkRef chunk, FrameIndex frame) = 0;

    // Freezes the bytes of a shown chunk and gives them to read.
    // Errors: busy (pinned by the kernel for someone's I/O; nothing changed), disconnected, io.
    virtual Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) = 0;

    // Undoes conceal(): the program has the chunk back; `writable` as for reveal().
    virtual Status restore(ChunkRef chunk, FrameIndex frame, bool writable) = 0;

    // Gives the frame up, whole or in parts, from any state; whoever waits at the chunk is woken
    // and faults anew.
    virtual void close(ChunkRef chunk, FrameIndex frame) = 0;

    // Makes every access to what is not shown of the chunk fail loudly (SIGBUS; SIGSEGV where the
    // kernel knows no poison). The chunk is closed, or opened and not concealed; in the latter case
    // it is closed without being shown.
    // Errors: busy (try again); any other: touches wait still, and only the session's end can
    // answer them.
    virtual Status poison(ChunkRef chunk) = 0;

    // Undoes poison(): touches of the chunk wait again. The chunk is closed. Where the marks lie in
    // another process, that process clears its own before it asks for the chunk to be promised.
    virtual void unpoison(ChunkRef chunk) = 0;

    // Forgets a session: nothing of it is called again. Its frames have been closed.
    virtual void detach(SessionIndex session) = 0;

    // The single blocks that it can show besides frames; null where it can not. Only a device that
    // does not see writes has any.
    virtual Pieces* pieces() { return nullptr; }

    // Moves waiting faults into `events`; returns how many. A fault is reported once; the same
    // chunk may be reported by several threads.
    virtual size_t drain(std::span<DeviceEvent> events) = 0;
};

}  // namespace ciuic
