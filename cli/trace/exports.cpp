// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/exports.hpp"

#include "limits.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>

namespace ciuic::cli {
namespace {

constexpr uint32_t phase_track = limits::trace_threads_max;

std::string json_text(const std::string& name) {
    return nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Events in the order in which they end.
class PerfettoEvents {
public:
    explicit PerfettoEvents(OutFile& file) : file_(file) {}

    void begin() {
        file_.write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
        file_.write("{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\","
                    "\"args\":{\"name\":\"phases\"}}",
                    phase_track);
    }
    void use(const trace::Use& use, const std::string& region_name) {
        Open& open = open_[use.thread];
        close(use.thread, open, use.time_ns);
        open.since_ns = use.time_ns;
        open.name = json_text(region_name);
        open.use = use;
        if (pending_phase_) {
            close_phase(use.time_ns);
            phase_.since_ns = use.time_ns;
            phase_.name = json_text(*pending_phase_);
            pending_phase_.reset();
        }
        last_ns_ = use.time_ns;
    }
    // It begins with the next use.
    void phase(const std::string& name) { pending_phase_ = name; }
    void end() {
        for (auto& [thread, open] : open_) close(thread, open, last_ns_);
        close_phase(last_ns_);
        file_.write("\n]}\n");
    }

private:
    struct Open {
        uint64_t since_ns = 0;
        std::string name;  // empty: none
        trace::Use use;
    };

    void write_span(uint32_t track, const Open& open, uint64_t until_ns) {
        const uint64_t lasted_ns = until_ns - open.since_ns;
        file_.write(",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":%llu.%03u,\"dur\":%llu.%03u,"
                    "\"name\":%s",
                    track, static_cast<unsigned long long>(open.since_ns / 1000),
                    static_cast<unsigned>(open.since_ns % 1000),
                    static_cast<unsigned long long>(lasted_ns / 1000),
                    static_cast<unsigned>(lasted_ns % 1000), open.name.c_str());
    }
    void close(uint32_t thread, const Open& open, uint64_t until_ns) {
        if (open.name.empty()) return;
        write_span(thread, open, until_ns);
        file_.write(",\"cat\":\"%s\",\"args\":{\"chunk\":%u,\"count\":%u}}",
                    open.use.is_write ? "write" : "read", open.use.chunk, open.use.count);
    }
    void close_phase(uint64_t until_ns) {
        if (phase_.name.empty()) return;
        write_span(phase_track, phase_, until_ns);
        file_.write(",\"cat\":\"phase\"}");
    }

    OutFile& file_;
    std::map<uint32_t, Open> open_;  // by thread
    Open phase_;
    std::optional<std::string> pending_phase_;
    uint64_t last_ns_ = 0;
};

}  // namespace

Status export_perfetto(trace::Reader& reader, OutFile& file) {
    PerfettoEvents events(file);
    events.begin();
    for (;;) {
        CIUIC_TRY(const trace::Found found, reader.next());
        if (found == trace::Found::phase) events.phase(reader.phase());
        if (found == trace::Found::use)
            events.use(reader.use(), reader.regions()[reader.use().region].name);
        if (found == trace::Found::end) break;
    }
    events.end();
    return {};
}

Status export_chunks(trace::Reader& reader, OutFile& file) {
    for (;;) {
        CIUIC_TRY(const trace::Found found, reader.next());
        if (found == trace::Found::end) return {};
        if (found != trace::Found::use) continue;
        for (uint32_t at = 0; at < reader.use().count; ++at)
            file.write("%u\n", reader.first_chunk() + at + 1);
    }
}

}  // namespace ciuic::cli
