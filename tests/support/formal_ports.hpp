// SPDX-License-Identifier: Apache-2.0
//
// Stand-ins for what is outside a server: no privilege, no disk, no page fault, a clock that stands
// still until it is told to move.
//
// Threads: one.
#pragma once

#include "base/check.hpp"
#include "daemon/spaces.hpp"
#include "device/device.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace ciuic::test {

// Frames are memory; showing them is a matter of form.
class FormalDevice final : public Device {
public:
    FormalDevice(uint32_t frames, uint64_t chunk_bytes, uint64_t reveal_bytes)
        : memory_(frames * chunk_bytes) {
        traits_.name = "formal";
        traits_.frames = frames;
        traits_.chunk_bytes = chunk_bytes;
        traits_.reveal_bytes = reveal_bytes;
        traits_.sees_writes = true;
        traits_.opens_zeroed = true;
    }

    bool conceals = false;  // else every chunk is pinned
    Status poison_result;
    std::deque<DeviceEvent> events;  // to be drained
    uint32_t open_frames = 0;
    std::vector<SessionIndex> detached;

    std::span<std::byte> bytes(FrameIndex frame) {
        return std::span(memory_).subspan(frame.value * traits_.chunk_bytes, traits_.chunk_bytes);
    }

    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef, FrameIndex frame) override {
        ++open_frames;
        std::fill(bytes(frame).begin(), bytes(frame).end(), std::byte{});
        return bytes(frame);
    }
    Status reveal(ChunkRef, FrameIndex, uint64_t, uint64_t, bool) override { return {}; }
    Status allow_write(ChunkRef, FrameIndex) override { return {}; }
    Result<std::span<std::byte>> conceal(ChunkRef, FrameIndex frame) override {
        if (!conceals) return Error{Errc::busy, 0, "pinned"};
        return bytes(frame);
    }
    Status restore(ChunkRef, FrameIndex, bool) override { return {}; }
    void close(ChunkRef, FrameIndex) override { --open_frames; }
    Status poison(ChunkRef) override { return poison_result; }
    void unpoison(ChunkRef) override {}
    void detach(SessionIndex session) override {
        detached.push_back(session);
        std::erase_if(
            events, [session](const DeviceEvent& event) { return event.chunk.session == session; });
    }
    size_t drain(std::span<DeviceEvent> out) override {
        const size_t moved = std::min(out.size(), events.size());
        std::copy_n(events.begin(), moved, out.begin());
        events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(moved));
        return moved;
    }

private:
    DeviceTraits traits_;
    std::vector<std::byte> memory_;
};

// Memory files as they are; a userfaultfd is believed to be one.
class FormalSpaces final : public Spaces {
public:
    explicit FormalSpaces(uint64_t chunk_bytes) : chunk_bytes_(chunk_bytes) {}

    bool refuse_space = false;
    uint32_t readers_added = 0;
    uint32_t readers_removed = 0;
    bool readers_are_alive = true;
    std::optional<SpaceBreach> breach;  // to be told

    Result<int> make_space(SessionIndex, uint32_t chunks) override {
        if (refuse_space) return Error{Errc::no_memory, 0, "no space"};
        file_ = UniqueFd(::memfd_create("space", MFD_CLOEXEC));
        if (::ftruncate(file_.get(), static_cast<off_t>(chunks * chunk_bytes_)) != 0)
            return os_refusal("ftruncate", errno);
        return file_.get();
    }
    Status attach(SessionIndex, UniqueFd, uint64_t client_base_address) override {
        if (client_base_address % chunk_bytes_ != 0) return Error{Errc::invalid, 0, "misaligned"};
        return {};
    }
    Result<uint32_t> add_reader(SessionIndex, UniqueFd, uint64_t base_address) override {
        if (base_address % chunk_bytes_ != 0) return Error{Errc::invalid, 0, "misaligned"};
        return readers_added++;
    }
    void remove_reader(SessionIndex, uint32_t) override { ++readers_removed; }
    bool is_reader_alive(SessionIndex, uint32_t) const override { return readers_are_alive; }
    std::optional<SpaceBreach> next_breach() override {
        return std::exchange(breach, std::nullopt);
    }

private:
    uint64_t chunk_bytes_;
    UniqueFd file_;
};

}  // namespace ciuic::test
