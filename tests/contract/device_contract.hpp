// SPDX-License-Identifier: Apache-2.0
//
// What every adapter of the device port promises (device/device.hpp). The suite is in
// device_contract.cpp; an adapter brings a rig and instantiates DeviceContract with it.
#pragma once

#include "base/units.hpp"
#include "device/device.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace ciuic::test {

// What one thread of the paged program does.
struct Access {
    enum class Kind : uint8_t {
        load,         // the word at `offset_bytes`
        store,        // `value` to the word
        count,        // increments the word again and again until stop_counting()
        kernel_fill,  // read(2) of kernel_word(0), (1), ... over `length_bytes`
        kernel_read,  // write(2) of the word to somewhere else
        discard,      // MADV_DONTNEED on `length_bytes`
    };
    Kind kind = Kind::load;
    uint64_t offset_bytes = 0;  // of the session's space
    uint64_t length_bytes = 0;
    uint64_t value = 0;
};

struct Outcome {
    bool killed = false;  // SIGBUS or SIGSEGV
    // load, kernel_read: the word. count: how many increments. kernel_fill: bytes.
    uint64_t value = 0;
};

constexpr uint64_t kernel_word(uint64_t index) { return 0x6b65726e00000000u + index; }

// How long anything that has to happen may take on a busy machine.
inline constexpr Nanos patience{20'000'000'000};

inline uint64_t word_at(std::span<const std::byte> bytes, uint64_t offset_bytes) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + offset_bytes, sizeof value);
    return value;
}

inline void put_word(std::span<std::byte> bytes, uint64_t offset_bytes, uint64_t value) {
    std::memcpy(bytes.data() + offset_bytes, &value, sizeof value);
}

// A device and the program that it pages, as session 0.
class DeviceRig {
public:
    static constexpr uint32_t frames = 8;
    static constexpr uint32_t chunks = 24;
    static constexpr uint32_t workers = 4;
    static constexpr uint32_t pieces = 8;  // where it has any

    virtual ~DeviceRig() = default;
    virtual std::string refusal() const = 0;  // why it cannot run here, or empty
    virtual Device& device() = 0;
    // Until drain() would give something; false: `limit` passed.
    virtual bool wait_event(Nanos limit) = 0;
    // Memory that the program's chunks take at present.
    virtual uint64_t held_bytes() = 0;

    // A worker does one thing at a time; its outcome is asked for before the next.
    virtual void start(uint32_t worker, const Access& access) = 0;
    virtual std::optional<Outcome> outcome(uint32_t worker, Nanos limit) = 0;
    virtual uint64_t counted(uint32_t worker) = 0;  // so far, in its Access::Kind::count
    virtual void stop_counting() = 0;
};

struct DeviceCase {
    const char* name;
    std::function<std::unique_ptr<DeviceRig>()> make;
};

inline void PrintTo(const DeviceCase& param, std::ostream* out) { *out << param.name; }

struct DeviceCaseName {
    std::string operator()(const testing::TestParamInfo<DeviceCase>& info) const {
        return info.param.name;
    }
};

class DeviceContract : public testing::TestWithParam<DeviceCase> {
protected:
    void SetUp() override;

    Device& device() { return rig_->device(); }
    const DeviceTraits& traits() { return device().traits(); }
    static ChunkRef chunk(uint32_t index) { return {SessionIndex{0}, ChunkIndex{index}}; }
    uint64_t address(uint32_t index, uint64_t offset_bytes) {
        return index * traits().chunk_bytes + offset_bytes;
    }

    // The frame that the tests use for a chunk.
    static FrameIndex frame(uint32_t index) { return FrameIndex{index % DeviceRig::frames}; }

    std::span<std::byte> open(uint32_t index);
    std::span<std::byte> open_filled(uint32_t index);  // with word_of(index, ...)
    std::span<std::byte> conceal(uint32_t index);
    void reveal(uint32_t index, bool writable);
    void show(uint32_t index, bool writable);  // open, fill, reveal
    void close(uint32_t index) { device().close(chunk(index), frame(index)); }

    void load(uint32_t worker, uint32_t index, uint64_t offset_bytes);
    void store(uint32_t worker, uint32_t index, uint64_t offset_bytes, uint64_t value);
    bool waits(uint32_t worker) { return !rig_->outcome(worker, Nanos{0}).has_value(); }
    Outcome finish(uint32_t worker);

    // The next fault; with none in time the test fails and gets an empty one.
    DeviceEvent next_event();
    bool no_event();
    void serve(const DeviceEvent& event);
    void wait_counting(uint32_t worker);  // until it has counted on
    // Serves the faults at a shown chunk until the worker has finished.
    Outcome finish_serving(uint32_t worker, uint32_t index);

    static uint64_t word_of(uint32_t index, uint64_t offset_bytes) {
        return (uint64_t{index} + 1) << 32 | offset_bytes;
    }

    std::unique_ptr<DeviceRig> rig_;
};

// What every adapter of device/pieces.hpp promises besides; the suite is in pieces_contract.cpp.
class PiecesContract : public DeviceContract {
protected:
    Pieces& pieces() { return *device().pieces(); }
    // The piece that the tests use for a block of a chunk: two chunks' first four blocks.
    static PieceRef piece(uint32_t index, uint32_t block) {
        return {chunk(index), block, PieceIndex{index % 2 * 4 + block}};
    }
    uint64_t piece_address(uint32_t block, uint64_t offset_bytes) {
        return block * pieces().piece_bytes() + offset_bytes;
    }
    void show_piece(uint32_t index, uint32_t block);  // filled with word_of(index, ...)
    std::span<std::byte> conceal_piece(uint32_t index, uint32_t block);
};

}  // namespace ciuic::test
