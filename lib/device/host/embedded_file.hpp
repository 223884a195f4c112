// SPDX-License-Identifier: Apache-2.0
//
// EmbeddedFileDevice: the pager of its own process on kernels that cannot move pages (before Linux
// 6.8). The shared device with this process as its own client: the program's space is one mapping
// of a memory file and is registered; the pager's view is another one and is not, so the pager can
// touch and hand to the disk whatever is open, and never waits for itself.
//
// No bounce buffer and no copy: pages of the file are the frames, exactly as many as are open.
// There are no pieces: a page of the file is in its chunk's place or nowhere.
//
// Not here: the paging itself (shared), which of the two embedded devices it is (client/compose).
// Threads: one, the engine's. It serves faults of its own process: after create() nothing here
// allocates or takes a lock.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "device/device.hpp"
#include "device/host/shared.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ciuic {

struct EmbeddedFileOptions {
    // As EmbeddedHostOptions::space, aligned to 2 MiB: the file is mapped over it.
    std::span<std::byte> space;
    uint32_t frames = 0;
    uint64_t chunk_bytes = 0;
    uint64_t block_bytes = 0;  // the smallest part to reveal
    FrameKind kind = FrameKind::automatic;
    HostFeatures features = probe_host_features();  // fewer: as on an older kernel
};

class EmbeddedFileDevice final : public Device {
public:
    // The space outlives the device. It is not given to a forked child from here on.
    // Errors: unsupported (kernel older than 6.1, or no full userfaultfd), invalid, no_memory, io.
    static Result<std::unique_ptr<EmbeddedFileDevice>> create(const EmbeddedFileOptions& options);
    ~EmbeddedFileDevice() override;

    // Readable while drain() would return something.
    int event_fd() const { return shared_->event_fd(); }
    // For a forked child to close: event_fd() and what else it has no use for.
    std::array<int, 3> fds() const { return {event_fd(), uffd_.get(), file_}; }

    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override {
        return shared_->open(chunk, frame);
    }
    Result<std::span<std::byte>> open_part(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                           uint64_t length_bytes) override {
        return shared_->open_part(chunk, frame, offset_bytes, length_bytes);
    }
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override {
        return shared_->reveal(chunk, frame, offset_bytes, length_bytes, writable);
    }
    Status allow_write(ChunkRef chunk, FrameIndex frame) override {
        return shared_->allow_write(chunk, frame);
    }
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override {
        return shared_->conceal(chunk, frame);
    }
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override {
        return shared_->restore(chunk, frame, writable);
    }
    void close(ChunkRef chunk, FrameIndex frame) override { shared_->close(chunk, frame); }
    // Where the kernel knows no poison, the chunk's addresses are closed: SIGSEGV.
    Status poison(ChunkRef chunk) override;
    void unpoison(ChunkRef chunk) override;
    // After this, and after the destructor, every touch of the space raises SIGSEGV: never zeros.
    void detach(SessionIndex session) override;
    size_t drain(std::span<DeviceEvent> events) override { return shared_->drain(events); }

private:
    EmbeddedFileDevice(const EmbeddedFileOptions& options, std::unique_ptr<SharedHostDevice> shared,
                       UniqueFd uffd, int file);

    std::span<std::byte> shown_at(ChunkRef chunk) const;
    void shut(std::span<std::byte> range);

    std::span<std::byte> space_;
    bool has_poison_;
    UniqueFd uffd_;  // the shared device has its own copy, for as long as the session is attached
    int file_;       // the shared device's
    std::unique_ptr<SharedHostDevice> shared_;
    DeviceTraits traits_;
    std::vector<bool> poisoned_;  // by chunk
};

}  // namespace ciuic
