// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_device.hpp"

#include "base/check.hpp"
#include "tests/sim/card/card_time.hpp"

namespace ciuic::sim {

namespace {

// Addresses that are nobody's: whoever looks at a byte of them ends at once.
constexpr uintptr_t first_address = uintptr_t{1} << 46;

}  // namespace

CardDevice::CardDevice(const machine::Card& card, uint32_t frames, uint64_t chunk_bytes,
                       uint32_t chunks, SimClock& clock)
    : map_time_(nanos_of(card.map_s + card.set_access_s)), unmap_time_(nanos_of(card.unmap_s)),
      clock_(clock), views_(chunks), owners_(frames) {
    traits_.name = "described-card";
    traits_.frame_kind = "handle";
    traits_.frames = frames;
    traits_.chunk_bytes = chunk_bytes;
    traits_.reveal_bytes = chunk_bytes;
    traits_.sees_writes = true;
}

std::span<std::byte> CardDevice::bytes_of(FrameIndex frame) const {
    return {reinterpret_cast<std::byte*>(first_address + frame.value * traits_.chunk_bytes),
            traits_.chunk_bytes};
}

Result<std::span<std::byte>> CardDevice::open(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(!views_[chunk.chunk.value].shown);
    owners_[frame.value] = chunk.chunk.value;
    return bytes_of(frame);
}

uint64_t CardDevice::content_hash(const std::byte* data) const {
    const uint64_t offset_bytes = reinterpret_cast<uintptr_t>(data) - first_address;
    return views_[owners_[offset_bytes / traits_.chunk_bytes]].content;
}

Status CardDevice::reveal(ChunkRef chunk, FrameIndex, uint64_t, uint64_t length_bytes,
                          bool writable) {
    CIUIC_CHECK(length_bytes == traits_.chunk_bytes);
    View& view = views_[chunk.chunk.value];
    if (!view.shown) {
        clock_.advance(map_time_);
        view.shown_at = clock_.now();
    }
    view.shown = true;
    view.writable = writable;
    if (writable) view.content = ++writes_;
    return {};
}

Status CardDevice::allow_write(ChunkRef chunk, FrameIndex) {
    CIUIC_CHECK(views_[chunk.chunk.value].shown);
    views_[chunk.chunk.value].writable = true;
    views_[chunk.chunk.value].content = ++writes_;
    return {};
}

Result<std::span<std::byte>> CardDevice::conceal(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(views_[chunk.chunk.value].shown);
    views_[chunk.chunk.value].writable = false;
    return bytes_of(frame);
}

Status CardDevice::restore(ChunkRef chunk, FrameIndex, bool writable) {
    views_[chunk.chunk.value].writable = writable;
    return {};
}

void CardDevice::close(ChunkRef chunk, FrameIndex) {
    View& view = views_[chunk.chunk.value];
    if (view.shown) clock_.advance(unmap_time_);
    view.shown = view.writable = false;
}

Status CardDevice::poison(ChunkRef) { return Error{Errc::unsupported, 0, "nothing is lost here"}; }

void CardDevice::ask_to_write(uint32_t chunk) {
    events_.push_back({DeviceEventKind::write, true, {SessionIndex{0}, ChunkIndex{chunk}}, 0});
}

size_t CardDevice::drain(std::span<DeviceEvent> events) {
    size_t count = 0;
    for (; count < events.size() && !events_.empty(); ++count) {
        events[count] = events_.front();
        events_.pop_front();
    }
    return count;
}

}  // namespace ciuic::sim
