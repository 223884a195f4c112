// SPDX-License-Identifier: Apache-2.0
//
// EmbeddedHostDevice: the pager of its own process. Frames are lent to the program's address space
// and taken back (lending_pool): what is taken back does not change any more, and nothing is
// copied. One session only, index 0. The frame's bytes lie at arena + frame * chunk_bytes while it
// is not lent, else in the space at chunk * chunk_bytes.
//
// Not here: where arena and space come from (client/compose), who calls drain() (engine).
// Threads: one, the engine's. It serves faults of its own process: after create() nothing here
// allocates, takes a lock, or touches memory that could be absent.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "device/device.hpp"
#include "device/host/client_side.hpp"
#include "device/host/embedded_pieces.hpp"
#include "device/host/lending_pool.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ciuic {

struct EmbeddedHostOptions {
    // frames * chunk_bytes, private anonymous memory, readable and writable, every page touched;
    // huge pages where chunk_bytes is 2 MiB or more.
    std::span<std::byte> arena;
    // chunks * chunk_bytes of private anonymous address space, readable and writable, none touched.
    std::span<std::byte> space;
    uint64_t chunk_bytes = 0;  // both are aligned to this, to 2 MiB at most
    // Memory for single blocks, like the arena; empty: the device shows whole chunks only.
    std::span<std::byte> pieces = {};
    uint64_t piece_bytes = 0;
    HostFeatures features = probe_host_features();  // fewer: as on an older kernel
};

class EmbeddedHostDevice final : public Device {
public:
    // Arena and space outlive the device. Neither is given to a forked child from here on.
    // Errors: unsupported (kernel older than 6.8: embedded_file serves there; or no full
    // userfaultfd), invalid, io.
    static Result<std::unique_ptr<EmbeddedHostDevice>> create(const EmbeddedHostOptions& options);
    ~EmbeddedHostDevice() override;

    // Whether these features are enough for it.
    static bool can_lend(const HostFeatures& features);

    // Readable while drain() would return something.
    int event_fd() const { return uffd_.get(); }

    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override;
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override;
    Status allow_write(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override;
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override;
    void close(ChunkRef chunk, FrameIndex frame) override;
    Status poison(ChunkRef chunk) override;
    void unpoison(ChunkRef chunk) override;
    // After this, and after the destructor, every touch of the space raises SIGSEGV: never zeros.
    void detach(SessionIndex session) override;
    Pieces* pieces() override { return pieces_ ? &*pieces_ : nullptr; }
    size_t drain(std::span<DeviceEvent> events) override;

private:
    EmbeddedHostDevice(const EmbeddedHostOptions& options, UniqueFd uffd, UniqueFd pagemap);

    uint32_t slot_of(ChunkRef chunk, FrameIndex frame) const;
    std::byte* shown_at(ChunkRef chunk) const;
    Status lend(ChunkRef chunk, FrameIndex frame);
    void wake(ChunkRef chunk);

    std::span<std::byte> space_;
    DeviceTraits traits_;
    uint64_t page_bytes_ = 0;
    UniqueFd uffd_;
    UniqueFd pagemap_;  // of this process: finds holes without touching them
    LendingPool frames_;
    std::optional<EmbeddedPieces> pieces_;
    std::vector<uint32_t> users_;  // by frame: the chunk that has it
    std::vector<bool> poisoned_;   // by chunk: its marks must go before it can be shown again
};

}  // namespace ciuic
