// SPDX-License-Identifier: Apache-2.0
//
// Everything outside the engine, passed in. The simulator brings its own.
#pragma once

#include "base/clock.hpp"
#include "device/device.hpp"
#include "engine/workers.hpp"
#include "store/swap_store.hpp"
#include "store/tag.hpp"

#include <atomic>
#include <span>

namespace ciuic {

// The clients, as the engine sees them. Called from tick() on the engine's thread; must not call
// back into the engine.
class Clients {
public:
    virtual ~Clients() = default;
    // A request has ended. Errc::ok, data_lost, timed_out, no_memory, disconnected.
    virtual void completed(SessionIndex session, uint64_t ticket, Errc result) = 0;
    // The session is gone, every frame and place of it is free, its index may be used again.
    virtual void closed(SessionIndex session) = 0;
    // A touch has to fail and the device cannot make it. Whoever waits there does so until the
    // session is closed: close it, soon.
    virtual void unanswerable(SessionIndex session) = 0;
    // The session's client took memory from under a transfer, which only hostile ones do.
    virtual void tampered(SessionIndex) {}
};

// Who is told of the uses that the engine sees: misses, first touches of what came ahead, acquires
// of what was not there, first writes. Not of hits: nobody sees those. Called on the engine's
// thread; must not call back into the engine, wait or allocate.
class UseWitness {
public:
    virtual ~UseWitness() = default;
    // A session with so many chunks of address space, in place of the last one of this index.
    virtual void opened(SessionIndex session, uint32_t chunks) = 0;
    // Chunks `first` .. `first` + `count` - 1 belong to a region from now on.
    virtual void promised(SessionIndex session, ChunkIndex first, uint32_t count) = 0;
    virtual void used(ChunkRef chunk, bool is_write, Nanos when) = 0;
};

struct EnginePorts {
    Device& device;
    SwapStore& store;
    Workers& workers;
    Clock& clock;
    Clients& clients;
    // Bounce buffers: single blocks, and the first slices of chunks, are read into them while the
    // device makes room; half of the memory is for each. Aligned to limits::granule_bytes. Without
    // any, chunks come in whole, after their room.
    std::span<std::byte> bounce{};
    UseWitness* witness = nullptr;  // none: nobody wants to know
};

// The words that a client writes: one per chunk, pins in use in the low 16 bits, accesses above.
// Each look copies the word once; all there is to know of it is whether it is pinned.
class PinWords {
public:
    static constexpr uint32_t pin_mask = 0xffff;

    PinWords() = default;
    PinWords(const std::atomic<uint32_t>* words, size_t count) : words_(words, count) {}
    template <typename Range>
    PinWords(const Range& range) : words_(std::data(range), std::size(range)) {}

    size_t size() const { return words_.size(); }
    // Sequentially consistent: SharedWords says why.
    bool is_pinned(ChunkIndex chunk) const {
        return (words_[chunk.value].load(std::memory_order_seq_cst) & pin_mask) != 0;
    }

private:
    std::span<const std::atomic<uint32_t>> words_;
};

// The words that a client shares with the engine, one per chunk.
//
// Hit path, without a message: the client adds a pin, fences, reads the chunk's state word;
// resident means go. The engine publishes `evicting`, fences, reads the pin word; pinned means
// abort.
struct SharedWords {
    // Written by the engine: the ChunkState in the low 8 bits.
    std::span<std::atomic<uint32_t>> states;
    // Written by the client.
    PinWords pins;

    static constexpr uint32_t pin_mask = PinWords::pin_mask;
    static constexpr uint32_t pin_one = (1u << 16) + 1;  // one pin, counted as one access
};

}  // namespace ciuic
