// SPDX-License-Identifier: Apache-2.0
//
// SimDevice: a device whose frames are byte arrays, and the programs' view of them.
//
// It holds the engine to the port's state diagram: a call that is not legal in the chunk's state,
// or that takes a frame away while disk or workers still use it, ends the run. Programs see a
// chunk block by block: shown or not, writable or not. Their accesses go straight to the frame's
// bytes, also while the engine's calls are under way.
//
// Where it has pieces (sim_pieces.cpp), a program also sees single blocks of chunks without frames.
//
// Kinds: with sees_writes like the shared host device (conceal takes the right to write away,
// reads go on), without it like the embedded one (conceal takes the bytes away).
//
// Not here: which thread waits for what (sim_clients).
// Threads: one.
#pragma once

#include "base/random.hpp"
#include "device/device.hpp"
#include "tests/sim/marks.hpp"
#include "tests/sim/parts.hpp"
#include "tests/sim/trace.hpp"

#include <vector>

namespace ciuic::sim {

struct SimDeviceOptions {
    DeviceTraits traits;
    bool conceals_reads = false;
    uint32_t pieces = 0;
    uint64_t piece_bytes = 0;
    uint32_t sessions = 1;
    uint32_t chunks = 1;  // per session, at most
    // Of each call, or of each event, out of chance_base.
    uint32_t refuse_chance = 0;  // open()
    uint32_t busy_chance = 0;
    uint32_t hide_chance = 0;  // a shown block vanishes; sees_writes only
    uint32_t duplicate_chance = 0;
    uint32_t late_chance = 0;
    uint32_t stale_chance = 0;  // an event outlives the wait that it reports
};

enum class Access : uint8_t {
    granted,
    missing,  // the thread waits until the chunk's wakes() change
    write,    // likewise
    failed,   // the chunk is poisoned
};

class SimDevice final : public Device, public Pieces, public FrameOwners {
public:
    SimDevice(const SimDeviceOptions& options, Random random, Trace& trace);

    // Ports that work on frames; checked whenever a frame changes hands.
    void watch(const FrameUsers* disk, const FrameUsers* workers, Between* between);

    // Device
    const DeviceTraits& traits() const override { return options_.traits; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> open_part(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                           uint64_t length_bytes) override;
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override;
    Status allow_write(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override;
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override;
    void close(ChunkRef chunk, FrameIndex frame) override;
    Status poison(ChunkRef chunk) override;
    void unpoison(ChunkRef chunk) override;
    void detach(SessionIndex session) override;
    Pieces* pieces() override { return options_.pieces > 0 ? this : nullptr; }
    size_t drain(std::span<DeviceEvent> events) override;

    // Pieces
    uint32_t count() const override { return options_.pieces; }
    uint64_t piece_bytes() const override { return options_.piece_bytes; }
    Result<std::span<std::byte>> open(const PieceRef& ref) override;
    Status reveal(const PieceRef& ref) override;
    Result<std::span<std::byte>> conceal(const PieceRef& ref) override;
    void close(const PieceRef& ref) override;

    // FrameOwners
    Owner owner_of(const std::byte* data) const override;
    bool is_shown(std::span<const std::byte> bytes) const override;
    bool count_read_fault(const std::byte* data) override;

    // The programs' side.
    void attach(SessionIndex session, uint32_t life, uint32_t chunks);
    void kill(SessionIndex session);  // calls for it begin to say `disconnected`
    Access access(ChunkRef chunk, uint64_t offset_bytes, bool is_write) const;
    // Where the program finds the byte. Precondition: access() says granted.
    std::byte* byte_at(ChunkRef chunk, uint64_t offset_bytes);
    // Bytes from there on that it finds beside it.
    uint64_t bytes_together(ChunkRef chunk, uint64_t offset_bytes) const;
    void report(ChunkRef chunk, uint64_t offset_bytes, bool is_write, Access why);
    // Changes whenever whoever waits at this place is woken.
    uint32_t wakes(ChunkRef chunk, uint64_t offset_bytes) const;
    bool is_part_shown(ChunkRef chunk) const;

    // A shown block vanishes, late events come closer.
    void step();
    bool has_events() const { return !events_.empty(); }
    // Disturbed reads into the chunk's frame since it was opened last.
    uint32_t read_faults(ChunkRef chunk) const { return at(chunk).read_faults; }
    uint32_t frames_open() const { return frames_open_; }
    uint32_t pieces_open() const { return pieces_open_; }
    void stop_faults();

    const FaultCounts& faults() const { return faults_; }
    const MarkSet& marks() const { return marks_; }

private:
    enum class Phase : uint8_t { closed, opened, shown, concealed };

    struct Chunk {
        Phase phase = Phase::closed;
        bool poisoned = false;
        uint32_t frame = none_index;
        uint32_t backed = 0;    // bit per block
        uint32_t shown = 0;     // bit per block
        uint32_t writable = 0;  // bit per block; only where shown
        uint32_t read_faults = 0;
        std::vector<uint32_t> wakes;  // per block
    };
    struct Program {
        uint32_t life = 0;  // 0: no such session
        uint32_t chunks = 0;
        bool dead = false;
        bool gone = false;  // dead, and the device knows
        std::vector<Chunk> table;
    };
    struct Pending {
        DeviceEvent event;
        uint32_t delay = 0;  // drains
    };
    struct Frame {
        bool held = false;
        ChunkRef user;
    };
    struct Piece {
        Phase phase = Phase::closed;
        ChunkRef user;
        uint32_t block = 0;
    };

    Chunk& at(ChunkRef chunk);
    const Chunk& at(ChunkRef chunk) const;
    Chunk& begin(const char* call, ChunkRef chunk, FrameIndex frame);
    bool chance(uint32_t chance);
    Status disturbed(ChunkRef chunk);
    uint32_t blocks_of(const char* call, uint64_t offset_bytes, uint64_t length_bytes) const;
    void wake(ChunkRef chunk, uint32_t blocks);
    void require_unused(ChunkRef chunk, std::span<const std::byte> bytes, const char* call,
                        bool by_readers_too) const;
    std::span<std::byte> frame_bytes(uint32_t frame);
    std::span<std::byte> piece_bytes_of(uint32_t piece);
    Piece& begin(const char* call, const PieceRef& ref);
    const Piece* shown_piece(ChunkRef chunk, uint64_t offset_bytes) const;
    const Piece* piece_at(const std::byte* data) const;
    void require_pieces_hidden(const char* call, ChunkRef chunk) const;

    SimDeviceOptions options_;
    uint32_t blocks_;
    uint32_t all_blocks_;  // mask
    Random random_;
    Trace& trace_;
    const FrameUsers* disk_ = nullptr;
    const FrameUsers* workers_ = nullptr;
    Between* between_ = nullptr;
    std::vector<std::byte> memory_;
    std::byte* frames_begin_;
    std::vector<Frame> frames_;
    std::byte* pieces_begin_;
    std::vector<Piece> pieces_;
    std::vector<Program> programs_;
    std::vector<Pending> events_;
    uint32_t frames_open_ = 0;
    uint32_t pieces_open_ = 0;
    bool faulty_ = true;
    FaultCounts faults_;
    MarkSet marks_;
};

}  // namespace ciuic::sim
