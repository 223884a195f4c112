// SPDX-License-Identifier: Apache-2.0
//
// The device that gets the order of an eviction wrong: it copies a chunk instead of freezing it,
// and drops the frame when the copy has been written. Whatever the program writes in between is
// lost. The lost-write gate must see that within seconds, or it proves nothing.
#pragma once

#include "device/device.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace ciuic {

class NaiveDevice final : public Device {
public:
    explicit NaiveDevice(Device& inner) : inner_(inner), copies_(inner.traits().frames) {
        for (Copy& copy : copies_)
            copy.bytes =
                static_cast<std::byte*>(std::aligned_alloc(page_bytes, inner.traits().chunk_bytes));
    }
    ~NaiveDevice() override {
        for (Copy& copy : copies_) std::free(copy.bytes);
    }
    NaiveDevice(const NaiveDevice&) = delete;
    NaiveDevice& operator=(const NaiveDevice&) = delete;

    const DeviceTraits& traits() const override { return inner_.traits(); }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override {
        return inner_.open(chunk, frame);
    }
    Result<std::span<std::byte>> open_part(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                           uint64_t length_bytes) override {
        return inner_.open_part(chunk, frame, offset_bytes, length_bytes);
    }
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override {
        return inner_.reveal(chunk, frame, offset_bytes, length_bytes, writable);
    }
    Status allow_write(ChunkRef chunk, FrameIndex frame) override {
        return inner_.allow_write(chunk, frame);
    }
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override {
        CIUIC_TRY(const std::span<std::byte> bytes, inner_.conceal(chunk, frame));
        Copy& copy = copies_[frame.value];
        std::memcpy(copy.bytes, bytes.data(), bytes.size());
        // The naive step: the program goes on writing to what has just been copied.
        CIUIC_TRY_STATUS(inner_.restore(chunk, frame, true));
        copy.stands_for_frame = true;
        return std::span(copy.bytes, bytes.size());
    }
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override {
        Copy& copy = copies_[frame.value];
        if (!copy.stands_for_frame) return inner_.restore(chunk, frame, writable);
        copy.stands_for_frame = false;
        return {};
    }
    void close(ChunkRef chunk, FrameIndex frame) override {
        copies_[frame.value].stands_for_frame = false;
        inner_.close(chunk, frame);
    }
    Status poison(ChunkRef chunk) override { return inner_.poison(chunk); }
    void unpoison(ChunkRef chunk) override { inner_.unpoison(chunk); }
    void detach(SessionIndex session) override { inner_.detach(session); }
    size_t drain(std::span<DeviceEvent> events) override { return inner_.drain(events); }

private:
    static constexpr size_t page_bytes = 4096;
    struct Copy {
        std::byte* bytes = nullptr;
        bool stands_for_frame = false;
    };

    Device& inner_;
    std::vector<Copy> copies_;
};

}  // namespace ciuic
