// SPDX-License-Identifier: Apache-2.0
#include "daemon/recorder.hpp"

#include "base/check.hpp"
#include "daemon/log.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

namespace ciuic {
namespace {

// How often the ring is looked at: the engine's thread rings no bell. At 5 ms, the ring of 2^16
// events overflows at 13 million uses a second.
constexpr int look_interval_ms = 5;
constexpr size_t taken_at_once = 1024;

}  // namespace

Recorder::Recorder(const RecorderOptions& options)
    : options_(options), ring_(options.ring_entries), sessions_(options.sessions_max),
      taken_(taken_at_once) {}

Result<std::unique_ptr<Recorder>> Recorder::create(const RecorderOptions& options) {
    std::unique_ptr<Recorder> recorder(new Recorder(options));
    recorder->stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    if (!recorder->stop_) return os_refusal("eventfd", errno);
    CIUIC_TRY_STATUS(recorder->writer_.create(options.path, options.chunk_bytes));
    return Result<std::unique_ptr<Recorder>>(std::move(recorder));
}

Recorder::~Recorder() { stop(); }

Status Recorder::start() {
    CIUIC_TRY(thread_, ServiceThread::start("ciuic-record", run, this));
    return {};
}

void* Recorder::run(void* recorder) {
    static_cast<Recorder*>(recorder)->write_until_stopped();
    return nullptr;
}

void Recorder::opened(SessionIndex session, uint32_t chunks) {
    sessions_[session.value] = {sessions_opened_++, chunks};
}

void Recorder::promised(SessionIndex session, ChunkIndex first, uint32_t count) {
    // One that is lost costs a region's border, not a use.
    push({.session = sessions_[session.value].number,
          .chunk = first.value,
          .chunks = count,
          .kind = UseEvent::Kind::promise});
}

void Recorder::used(ChunkRef chunk, bool is_write, Nanos when) {
    const OpenSession& session = sessions_[chunk.session.value];
    const bool has_room = push({.time_ns = static_cast<uint64_t>((when - options_.began).value),
                                .session = session.number,
                                .chunk = chunk.chunk.value,
                                .chunks = session.chunks,
                                .is_write = is_write});
    if (has_room) return;
    ++losing_;
    overflowed_.fetch_add(1, std::memory_order_relaxed);
}

// False: there is no room. Where there is again, the trace is told first what is missing before it.
bool Recorder::push(const UseEvent& event) {
    if (losing_ > 0) {
        if (!ring_.push({.time_ns = losing_, .kind = UseEvent::Kind::lost})) return false;
        losing_ = 0;
    }
    return ring_.push(event);
}

void Recorder::write_until_stopped() {
    pollfd stop{stop_.get(), POLLIN, 0};
    while (::poll(&stop, 1, look_interval_ms) <= 0) write_waiting();
    write_waiting();
}

void Recorder::write_waiting() {
    while (const size_t count = ring_.pop(taken_)) {
        for (size_t at = 0; at < count; ++at) trace_.take(taken_[at]);
        look_at_file();
    }
}

void Recorder::look_at_file() {
    written_.store(trace_.uses(), std::memory_order_relaxed);
    if (writer_.status().has_value() || failed_.load(std::memory_order_relaxed)) return;
    failed_.store(true, std::memory_order_relaxed);
    const Error& error = writer_.status().error();
    const std::string why =
        error.os_error != 0 ? std::string(" (") + std::strerror(error.os_error) + ")" : "";
    log_line("recording to %s has ended, there is no trace: %s%s; clients go on without",
             options_.path.c_str(), error.what, why.c_str());
}

void Recorder::stop() {
    const uint64_t one = 1;
    if (stop_) (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

void Recorder::finish() {
    if (finished_) return;
    finished_ = true;
    stop();
    write_waiting();
    if (losing_ > 0) trace_.take({.time_ns = losing_, .kind = UseEvent::Kind::lost});
    trace_.finish();
    (void)writer_.finish();
    look_at_file();
    beyond_limits_.store(trace_.lost() - overflowed_.load(), std::memory_order_relaxed);
    const RecordCounts all = counts();
    if (!all.failed)
        log_line("recorded %" PRIu64 " uses, %" PRIu64 " lost, in %s", all.uses, all.lost,
                 options_.path.c_str());
}

RecordCounts Recorder::counts() const {
    return {.uses = written_.load(std::memory_order_relaxed),
            .lost = overflowed_.load(std::memory_order_relaxed) +
                    beyond_limits_.load(std::memory_order_relaxed),
            .failed = failed_.load(std::memory_order_relaxed)};
}

}  // namespace ciuic
