// SPDX-License-Identifier: Apache-2.0
//
// A rig for scripts: the real engine over a device that writes down every call, a file in memory
// whose faults are planned, workers that finish when asked, and a clock that is moved by hand.
#pragma once

#include "engine/engine.hpp"
#include "store/tag.hpp"
#include "tests/support/held_workers.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_io.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace ciuic::test {

class ScriptedDevice final : public Device, public Pieces {
public:
    ScriptedDevice(uint32_t frames, uint64_t chunk_bytes, uint64_t reveal_bytes, bool sees_writes,
                   uint32_t pieces, uint64_t piece_bytes, bool opens_parts)
        : memory(frames * chunk_bytes), piece_memory(pieces * piece_bytes), pieces_(pieces),
          piece_bytes_(piece_bytes) {
        traits_.name = "scripted";
        traits_.frames = frames;
        traits_.chunk_bytes = chunk_bytes;
        traits_.reveal_bytes = reveal_bytes;
        traits_.sees_writes = sees_writes;
        traits_.opens_parts = opens_parts;
        traits_.opens_zeroed = sees_writes;
    }

    std::vector<std::byte> memory;
    std::vector<std::byte> piece_memory;
    std::vector<std::string> calls;  // "open 3", "reveal 3 rw", "open piece 3.1", ...
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> open_pieces;  // by chunk and block
    std::deque<DeviceEvent> events;
    uint32_t busy = 0;           // so many of the next reveals and restores say busy
    uint32_t refused_opens = 0;  // so many of the next opens say no_memory
    Status poison_result;
    bool pinned = false;  // conceal says busy
    // What calls take of the clock's time, where they are given.
    ManualClock* clock = nullptr;
    Nanos open_takes{};
    Nanos close_takes{};
    Nanos show_takes{};
    void let_program_reach_frames() { traits_.program_reaches_frames = true; }

    void touch(uint32_t chunk, bool is_write = false, uint64_t offset_bytes = 0) {
        events.push_back({DeviceEventKind::missing, is_write, at(chunk), offset_bytes});
    }
    void touch_protected(uint32_t chunk) {
        events.push_back({DeviceEventKind::write, true, at(chunk), 0});
    }
    bool called(const std::string& call) const {
        return std::find(calls.begin(), calls.end(), call) != calls.end();
    }
    size_t count(const std::string& call) const {
        return static_cast<size_t>(std::count(calls.begin(), calls.end(), call));
    }

    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override {
        if (refused_opens > 0 && refused_opens--) return Error{Errc::no_memory, 0, "scripted"};
        note("open", chunk);
        take(open_takes);
        if (traits_.opens_zeroed)
            std::fill_n(bytes(frame).begin(), traits_.chunk_bytes, std::byte{});
        return bytes(frame);
    }
    Result<std::span<std::byte>> open_part(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                           uint64_t length_bytes) override {
        if (refused_opens > 0 && refused_opens--) return Error{Errc::no_memory, 0, "scripted"};
        note("open block " + std::to_string(offset_bytes / length_bytes) + " of", chunk);
        return bytes(frame);
    }
    Status reveal(ChunkRef chunk, FrameIndex, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override {
        if (busy > 0 && busy--) return Error{Errc::busy, 0, "scripted"};
        const bool whole = length_bytes == traits_.chunk_bytes;
        take(show_takes);
        note(whole ? "reveal"
                   : "reveal block " + std::to_string(offset_bytes / length_bytes) + " of",
             chunk, writable ? " rw" : " ro");
        return {};
    }
    Status allow_write(ChunkRef chunk, FrameIndex) override {
        note("allow_write", chunk);
        return {};
    }
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override {
        if (pinned) return Error{Errc::busy, 0, "scripted"};
        note("conceal", chunk);
        return bytes(frame);
    }
    Status restore(ChunkRef chunk, FrameIndex, bool) override {
        if (busy > 0 && busy--) return Error{Errc::busy, 0, "scripted"};
        note("restore", chunk);
        return {};
    }
    void close(ChunkRef chunk, FrameIndex) override {
        take(close_takes);
        note("close", chunk);
    }
    Status poison(ChunkRef chunk) override {
        note("poison", chunk);
        return poison_result;
    }
    void unpoison(ChunkRef chunk) override { note("unpoison", chunk); }
    void detach(SessionIndex) override { calls.emplace_back("detach"); }
    Pieces* pieces() override { return pieces_ > 0 ? this : nullptr; }

    uint32_t count() const override { return pieces_; }
    uint64_t piece_bytes() const override { return piece_bytes_; }
    Result<std::span<std::byte>> open(const PieceRef& ref) override {
        if (refused_opens > 0 && refused_opens--) return Error{Errc::no_memory, 0, "scripted"};
        note("open", ref);
        open_pieces[{ref.chunk.chunk.value, ref.block}] = ref.piece.value;
        return bytes(ref.piece);
    }
    Status reveal(const PieceRef& ref) override {
        if (busy > 0 && busy--) return Error{Errc::busy, 0, "scripted"};
        note("reveal", ref);
        return {};
    }
    Result<std::span<std::byte>> conceal(const PieceRef& ref) override {
        if (pinned) return Error{Errc::busy, 0, "scripted"};
        note("conceal", ref);
        return bytes(ref.piece);
    }
    void close(const PieceRef& ref) override {
        note("close", ref);
        open_pieces.erase({ref.chunk.chunk.value, ref.block});
    }

    size_t drain(std::span<DeviceEvent> out) override {
        const size_t moved = std::min(out.size(), events.size());
        std::copy_n(events.begin(), moved, out.begin());
        events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(moved));
        return moved;
    }

private:
    void take(Nanos time) {
        if (clock) clock->advance(time);
    }
    static ChunkRef at(uint32_t chunk) { return {SessionIndex{0}, ChunkIndex{chunk}}; }
    std::span<std::byte> bytes(FrameIndex frame) {
        return std::span(memory).subspan(frame.value * traits_.chunk_bytes, traits_.chunk_bytes);
    }
    std::span<std::byte> bytes(PieceIndex piece) {
        return std::span(piece_memory).subspan(piece.value * piece_bytes_, piece_bytes_);
    }
    void note(const std::string& call, const PieceRef& ref) {
        note(call + " piece", ref.chunk, "." + std::to_string(ref.block));
    }
    void note(const std::string& call, ChunkRef chunk, const std::string& how = "") {
        calls.push_back(call + " " + std::to_string(chunk.chunk.value) + how);
    }

    DeviceTraits traits_;
    uint32_t pieces_;
    uint64_t piece_bytes_;
};

class EngineRig : public ::testing::Test, protected Clients {
protected:
    static constexpr uint64_t chunk_bytes = 16 * KiB;
    static constexpr uint64_t block_bytes = 4 * KiB;
    static constexpr uint32_t frames = 8;
    static constexpr uint32_t chunks = 32;

    explicit EngineRig(bool sees_writes = true, uint32_t pieces = 0,
                       const EngineOptions& options = {}, uint32_t frame_count = frames,
                       bool opens_parts = false, UseWitness* witness = nullptr)
        : device(frame_count, chunk_bytes, sees_writes ? block_bytes : chunk_bytes, sees_writes,
                 pieces, block_bytes, opens_parts),
          engine{{device, store, workers, clock, *this, bounce, witness}, options} {
        open_session();
    }

    void open_session() {
        SessionOptions options;
        options.records = records;
        options.words = {states, pins};
        session = *engine.open_session(options);
    }

    void promise(uint32_t first, uint32_t count) {
        ASSERT_TRUE(engine.promise(session, {ChunkIndex{first}, count}).has_value());
    }
    void request(RequestKind kind, uint32_t first, uint32_t count, uint64_t ticket) {
        ASSERT_TRUE(engine.request(session, kind, {ChunkIndex{first}, count}, ticket).has_value());
    }
    // Ticks until nothing happens any more.
    void settle() {
        for (int turn = 0; engine.tick(); ++turn) ASSERT_LT(turn, 1000) << "never at rest";
        engine.verify();
    }
    ChunkState state(uint32_t chunk) const {
        return engine.chunks(session)[ChunkIndex{chunk}].state;
    }
    const ChunkRecord& record(uint32_t chunk) const {
        return engine.chunks(session)[ChunkIndex{chunk}];
    }
    std::byte* bytes(uint32_t chunk) {
        return device.memory.data() + record(chunk).frame * chunk_bytes;
    }
    // A resident chunk whose every byte is `value`.
    void put(uint32_t chunk, uint8_t value) {
        device.touch(chunk, true);
        settle();
        ASSERT_EQ(state(chunk), ChunkState::resident);
        std::memset(bytes(chunk), value, chunk_bytes);
    }
    void evict(uint32_t chunk) { request(RequestKind::evict, chunk, 1, 1000 + chunk); }
    void evict_fully(uint32_t chunk) {
        evict(chunk);
        settle();
        ASSERT_EQ(state(chunk), ChunkState::stored);
    }
    bool all_bytes_are(uint32_t chunk, uint8_t value) {
        return std::all_of(bytes(chunk), bytes(chunk) + chunk_bytes,
                           [&](std::byte byte) { return byte == std::byte{value}; });
    }
    const SessionStats& stats() const { return engine.stats(session); }

    void completed(SessionIndex, uint64_t ticket, Errc result) override {
        completions.emplace_back(ticket, result);
    }
    void closed(SessionIndex) override { is_closed = true; }
    void unanswerable(SessionIndex index) override { unanswerable_sessions.push_back(index); }
    void tampered(SessionIndex) override { ++tamperings; }

    ScriptedDevice device;
    MemoryIo disk{2 * chunks * chunk_bytes, 16};
    ManualClock clock;
    SwapStore store{disk, clock, store_options()};
    HeldWorkers workers;
    std::vector<std::byte> bounce = std::vector<std::byte>(4 * block_bytes);
    Engine engine;
    std::vector<ChunkRecord> records = std::vector<ChunkRecord>(chunks);
    std::vector<std::atomic<uint32_t>> states = std::vector<std::atomic<uint32_t>>(chunks);
    std::vector<std::atomic<uint32_t>> pins = std::vector<std::atomic<uint32_t>>(chunks);
    SessionIndex session;
    std::vector<std::pair<uint64_t, Errc>> completions;
    std::vector<SessionIndex> unanswerable_sessions;
    bool is_closed = false;
    uint32_t tamperings = 0;

private:
    static StoreOptions store_options() {
        StoreOptions options;
        options.capacity_bytes = 2 * chunks * chunk_bytes;
        options.chunk_bytes = chunk_bytes;
        options.block_bytes = block_bytes;
        return options;
    }
};

// The other kind of device: it cannot see writes, and takes the frame away.
class BlindEngineRig : public EngineRig {
protected:
    BlindEngineRig() : EngineRig(false) {}
};

// One that brings single blocks in, three of a chunk.
class BlocksEngineRig : public EngineRig {
protected:
    static constexpr uint32_t blocks = chunk_bytes / block_bytes;

    BlocksEngineRig(bool sees_writes, uint32_t pieces, bool opens_parts)
        : EngineRig(sees_writes, pieces, {.prefetch_chunks_max = 0, .pieces_per_chunk_max = 3},
                    frames, opens_parts) {}

    // A chunk that only the store has; block b is filled with value + b.
    void store_chunk(uint32_t chunk, uint8_t value) {
        put(chunk, value);
        for (uint32_t block = 0; block < blocks; ++block)
            std::memset(bytes(chunk) + block * block_bytes, value + static_cast<int>(block),
                        block_bytes);
        evict_fully(chunk);
        device.calls.clear();
        disk.requests.clear();
        disk.faults.clear();
    }
    void touch_block(uint32_t chunk, uint32_t block, bool is_write = false) {
        device.touch(chunk, is_write, block * block_bytes);
        settle();
    }
    bool block_is(uint32_t chunk, uint32_t block, uint8_t value) {
        const std::byte* begin = bytes(chunk) + block * block_bytes;
        return std::all_of(begin, begin + block_bytes,
                           [&](std::byte byte) { return byte == std::byte{value}; });
    }
};

// In the chunk's frame.
class SparseEngineRig : public BlocksEngineRig {
protected:
    SparseEngineRig() : BlocksEngineRig(true, 0, true) {}
};

// Blind, and with room for eight of them beside the frames.
class PiecesEngineRig : public BlocksEngineRig {
protected:
    static constexpr uint32_t pieces = 8;

    explicit PiecesEngineRig(uint32_t count = pieces) : BlocksEngineRig(false, count, false) {}

    // The piece's bytes, or null.
    std::byte* piece(uint32_t chunk, uint32_t block) {
        const auto found = device.open_pieces.find({chunk, block});
        if (found == device.open_pieces.end()) return nullptr;
        return device.piece_memory.data() + found->second * block_bytes;
    }
    bool piece_is(uint32_t chunk, uint32_t block, uint8_t value) {
        const std::byte* begin = piece(chunk, block);
        return begin && std::all_of(begin, begin + block_bytes,
                                    [&](std::byte byte) { return byte == std::byte{value}; });
    }
};

}  // namespace ciuic::test
