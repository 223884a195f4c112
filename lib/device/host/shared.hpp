// SPDX-License-Identifier: Apache-2.0
//
// SharedHostDevice: the daemon pages other processes. Frames are pages of memory files that the
// daemon and one client map: reads from disk go straight to the client's pages, and no byte is
// copied.
//
// Each session has one sparse file; chunk i lies at i * chunk_bytes of the file, of the daemon's
// mapping and of the client's. open() allocates the chunk's pages in the file, close() punches
// them out, so an open chunk costs memory and a closed one does not. What the client sees is
// decided by its userfaultfd, which the daemon holds:
//
//   closed      no page in the file: a touch waits ("missing")
//   opened      pages in the file, none mapped in the client: a touch waits ("minor")
//   shown       mapped in the client, write-protected until writing is allowed
//   concealed   as shown, all write-protected; unmapped pages of it wait as "minor"
//
// A kernel that cannot map a page write-protected in one step (before 6.4) gets chunks shown whole
// and writable at once: between the mapping and a later protection the client could write unseen.
// Whether it did is found by comparing tags at the eviction.
//
// A page leaves the file before its write protection goes, so no write falls between the copy
// that was taken of a concealed chunk and its end.
//
// Forked children of the client may read the space through mappings of their own (readers).
//
// A hostile client can hurt only its own session. What it does to its file behind the daemon's back
// (truncating it where sealed() is false, filling it so that there is no memory for others) is a
// breach, which next_breach() tells the owner, who ends the session: until then a touch of what is
// not there any more finds zeros (bus_guard).
//
// What a session had is emptied and unmapped by a thread of its own: a client may have put as much
// into its file as the machine has, and punching takes half a millisecond for 2 MiB of small pages.
//
// Not here: who may connect and what is sent to whom (daemon/), what the client does (client_side).
// Threads: one, the engine's; what is not of Device on that thread too. The thread that empties
// files touches nothing else.
#pragma once

#include "base/job_pool.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "device/device.hpp"
#include "device/host/bus_guard.hpp"
#include "device/host/client_side.hpp"
#include "device/host/frame_files.hpp"
#include "device/host/readers.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace ciuic {

struct SharedHostOptions {
    uint32_t frames = 0;  // the budget: at most so many chunks are open at a time
    uint64_t chunk_bytes = 0;
    uint64_t block_bytes = 0;  // the smallest part to reveal; ignored for hugetlb (2 MiB)
    uint32_t sessions = 0;     // indexes 0 .. sessions - 1
    FrameKind kind = FrameKind::automatic;
    HostFeatures features = probe_host_features();  // fewer: as on an older kernel
};

class SharedHostDevice final : public Device {
public:
    // Errors: invalid, no_memory (the machine has not enough of the kind that was asked for),
    // unsupported (the kernel too: older than 6.1), permission, io.
    static Result<std::unique_ptr<SharedHostDevice>> create(const SharedHostOptions& options);
    ~SharedHostDevice() override;

    // A file of `chunks` chunks for the session, nothing in it yet, and the daemon's mapping of
    // it. The descriptor is the device's own: send a copy to the client, do not close it.
    // Errors: no_memory (address space), io.
    Result<int> make_space(SessionIndex session, uint32_t chunks);

    // The client has mapped the space at `client_base_address` and registered it on `uffd`. Both
    // are the client's word: they are checked here.
    // Errors: invalid (not such a descriptor, misaligned, not registered), disconnected, io.
    Status attach(SessionIndex session, UniqueFd uffd, uint64_t client_base_address);

    // A forked child of the attached client has mapped the space at `base_address` to read it, and
    // registered it on `uffd`: its word, which is checked. detach() forgets the readers.
    // Errors: as for attach(), no_memory (too many).
    Result<uint32_t> add_reader(SessionIndex session, UniqueFd uffd, uint64_t base_address);
    void remove_reader(SessionIndex session, uint32_t reader);
    // False: it has ended, or runs another program.
    bool is_reader_alive(SessionIndex session, uint32_t reader) const;
    // What a client did to its file that none may do. Each session is named once, as long as it is
    // there.
    struct Breach {
        SessionIndex session;
        const char* what = "";
    };
    std::optional<Breach> next_breach();

    // Readable while drain() would return something, for all sessions together.
    int event_fd() const { return events_.get(); }

    // The files cannot be truncated by the client: the kernel sees to it, not next_breach().
    bool sealed() const { return files_.sealed(); }

    const DeviceTraits& traits() const override { return traits_; }
    Result<std::span<std::byte>> open(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> open_part(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                           uint64_t length_bytes) override;
    Status reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes, uint64_t length_bytes,
                  bool writable) override;
    Status allow_write(ChunkRef chunk, FrameIndex frame) override;
    Result<std::span<std::byte>> conceal(ChunkRef chunk, FrameIndex frame) override;
    Status restore(ChunkRef chunk, FrameIndex frame, bool writable) override;
    void close(ChunkRef chunk, FrameIndex frame) override;
    // Errors: unsupported (kernel older than 6.6) too; nothing changed, and touches still wait.
    Status poison(ChunkRef chunk) override;
    void unpoison(ChunkRef) override {}  // the client's page tables are out of reach from here
    void detach(SessionIndex session) override;
    size_t drain(std::span<DeviceEvent> events) override;

private:
    struct Space {
        UniqueFd file;
        Mapping mapping;
        GuardedRange guard;  // of the mapping
        UniqueFd uffd;
        uint64_t client_base = 0;
        const char* breach = nullptr;
        bool breach_told = false;
        uint32_t chunks = 0;  // 0: there is no such session
        uint32_t open_chunks = 0;
        Readers readers;
    };

    // A session's file and mapping, on their way out.
    struct Estate {
        int file = -1;
        std::byte* begin = nullptr;
        size_t size_bytes = 0;
    };
    struct Settled {};
    using Undertaker = JobPool<Estate, Settled>;
    static Settled settle(const Estate& estate);

    SharedHostDevice(const SharedHostOptions& options, FrameFiles files, UniqueFd events,
                     std::unique_ptr<Undertaker> undertaker);
    Space& space_of(ChunkRef chunk);
    Space& space_of(ChunkRef chunk, FrameIndex frame);
    uint64_t client_address(const Space& space, ChunkRef chunk) const;
    std::span<std::byte> bytes_of(const Space& space, ChunkRef chunk) const;
    uint64_t offset_of(ChunkRef chunk) const { return chunk.chunk.value * traits_.chunk_bytes; }
    Status watch(const UniqueFd& uffd, SessionIndex session, uint32_t reader);
    void unwatch(int uffd);
    void keep_nonblocking(SessionIndex session, uint32_t reader);
    DeviceEvent event_at(SessionIndex session, uint64_t offset_bytes) const;
    Result<std::span<std::byte>> back(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                      uint64_t length_bytes);
    void note_breach(Space& space, const char* what);
    bool check_size(Space& space);
    void accuse_thieves();
    void give_back(Space& space, uint64_t offset_bytes, uint64_t length_bytes);
    size_t drain_session(SessionIndex session, std::span<DeviceEvent> events);
    size_t drain_reader(SessionIndex session, uint32_t reader, std::span<DeviceEvent> events);

    FrameFiles files_;
    DeviceTraits traits_;
    HostFeatures features_;
    uint64_t page_bytes_ = 0;  // what the client's page tables map at once
    UniqueFd events_;          // epoll over every attached userfaultfd
    std::vector<Space> spaces_;
    std::vector<ChunkRef> users_;  // by frame; its chunk, to catch a frame given twice
    std::vector<uint8_t> whole_;   // by frame; not 0: all of it is shown to the client
    uint32_t bus_hits_ = 0;        // GuardedRange::hits() when the spaces were last looked at
    uint32_t breaches_untold_ = 0;
    std::unique_ptr<Undertaker> undertaker_;
    uint32_t estates_ = 0;  // that the undertaker has
};

}  // namespace ciuic
