// SPDX-License-Identifier: Apache-2.0
//
// CardDevice: frames that are handles of a card, mapped and unmapped by driver calls that take
// their time on the engine's thread.
//
// A frame has an address and no bytes. What would be in it is known by a number, which changes with
// each write; what the program means to write to is declared, and reported as a device that sees
// writes reports it.
//
// The mapping costs that a description gives are taken as those of one call, however large the
// chunk: one handle, one range, one descriptor.
//
// Threads: one.
#pragma once

#include "device/device.hpp"
#include "machine/hardware.hpp"
#include "tests/sim/sim_clock.hpp"

#include <deque>
#include <vector>

namespace ciuic::sim {

class CardDevice final : public Device {
public:
    CardDevice(const machine::Card& card, uint32_t frames, uint64_t chunk_bytes, uint32_t chunks,
               SimClock& clock);

    // Device
    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override;
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override;
    Status allow_write(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override;
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override;
    void close(ChunkRef chunk, FrameIndex frame) override;
    Status poison(ChunkRef chunk) override;
    void unpoison(ChunkRef) override {}
    void detach(SessionIndex) override {}
    size_t drain(std::span<DeviceEvent> events) override;

    // Of what is in the frame at this address.
    uint64_t content_hash(const std::byte* data) const;

    // The program's side.
    bool is_shown(uint32_t chunk) const { return views_[chunk].shown; }
    bool is_writable(uint32_t chunk) const { return views_[chunk].shown && views_[chunk].writable; }
    Nanos shown_at(uint32_t chunk) const { return views_[chunk].shown_at; }
    void ask_to_write(uint32_t chunk);
    bool has_events() const { return !events_.empty(); }

private:
    struct View {
        bool shown = false;
        bool writable = false;
        Nanos shown_at;
        uint64_t content = 0;
    };

    std::span<std::byte> bytes_of(FrameIndex frame) const;

    DeviceTraits traits_;
    Nanos map_time_;
    Nanos unmap_time_;
    SimClock& clock_;
    std::vector<View> views_;       // by chunk
    std::vector<uint32_t> owners_;  // by frame, the chunk
    uint64_t writes_ = 0;
    std::deque<DeviceEvent> events_;
};

}  // namespace ciuic::sim
