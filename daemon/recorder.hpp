// SPDX-License-Identifier: Apache-2.0
//
// Recorder: a trace file of what the engine sees used.
//
// The engine's thread puts events into a ring and goes on; a thread of its own takes them out and
// writes. What finds the ring full is lost and counted, never waited for. A file that cannot be
// written any more ends the recording, with one line in the log, and nothing else.
//
// Not here: what a trace says of the events (use_trace), its format (trace/).
// Threads: opened(), promised() and used() on the engine's; the others on their owner's, counts()
// on any.
#pragma once

#include "base/service_thread.hpp"
#include "base/spsc_ring.hpp"
#include "base/unique_fd.hpp"
#include "daemon/use_trace.hpp"
#include "engine/ports.hpp"
#include "limits.hpp"
#include "trace/writer.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace ciuic {

struct RecorderOptions {
    std::string path;
    uint64_t chunk_bytes = 0;
    uint32_t sessions_max = 0;
    Nanos began{};  // what times count from
    uint32_t ring_entries = limits::record_ring_entries;
};

struct RecordCounts {
    uint64_t uses = 0;  // in the trace
    uint64_t lost = 0;  // not in it
    bool failed = false;
};

class Recorder final : public UseWitness {
public:
    // Makes the file. Error: invalid (the chunk size), io, permission.
    static Result<std::unique_ptr<Recorder>> create(const RecorderOptions& options);
    // A file that was not finished is removed.
    ~Recorder() override;

    // Until then, events stay in the ring. Error: io (no thread can be started).
    Status start();
    // When no event comes any more: writes what is left and ends the file. Says so in the log.
    void finish();

    RecordCounts counts() const;

    void opened(SessionIndex session, uint32_t chunks) override;
    void promised(SessionIndex session, ChunkIndex first, uint32_t count) override;
    void used(ChunkRef chunk, bool is_write, Nanos when) override;

private:
    struct OpenSession {
        uint32_t number = 0;
        uint32_t chunks = 0;
    };

    explicit Recorder(const RecorderOptions& options);
    bool push(const UseEvent& event);
    static void* run(void* recorder);
    void write_until_stopped();
    void write_waiting();
    void look_at_file();
    void stop();

    const RecorderOptions options_;
    SpscRing<UseEvent> ring_;
    // The engine's thread's.
    std::vector<OpenSession> sessions_;
    uint32_t sessions_opened_ = 0;
    uint64_t losing_ = 0;  // since the last event that found room

    std::atomic<uint64_t> overflowed_{0};
    // The writing thread's, and finish()'s when that has ended.
    trace::Writer writer_;
    UseTrace trace_{writer_};
    std::vector<UseEvent> taken_;
    std::atomic<uint64_t> written_{0};
    std::atomic<uint64_t> beyond_limits_{0};
    std::atomic<bool> failed_{false};

    UniqueFd stop_;
    bool finished_ = false;
    ServiceThread thread_;
};

}  // namespace ciuic
