// SPDX-License-Identifier: Apache-2.0
#include "daemon/report.hpp"

#include "base/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace ciuic {
namespace {

using Json = nlohmann::ordered_json;

// A new field of SessionStats belongs in here, in wire::Statistics and in put_statistics().
static_assert(sizeof(SessionStats) == (23 + causes) * sizeof(uint64_t) + 4 * sizeof(uint32_t));

void put_stats(Json& json, const SessionStats& stats) {
    json["faults"] = stats.faults;
    json["write_faults"] = stats.write_faults;
    json["stray_touches"] = stats.stray_touches;
    json["fills"] = stats.fills;
    json["fetches"] = stats.fetches;
    json["evictions"] = stats.evictions;
    json["evictions_clean"] = stats.evictions_clean;
    json["recalls"] = stats.recalls;
    json["pieces_in"] = stats.pieces_in;
    json["pieces_out"] = stats.pieces_out;
    json["pieces_written"] = stats.pieces_written;
    json["gathers"] = stats.gathers;
    json["prefetches"] = stats.prefetches;
    json["prefetches_in_order"] = stats.prefetches_in_order;
    json["prefetches_used"] = stats.prefetches_used;
    json["prefetches_wasted"] = stats.prefetches_wasted;
    json["store_bytes_written"] = stats.store_bytes_written;
    json["store_bytes_read"] = stats.store_bytes_read;
    json["tag_failures"] = stats.tag_failures;
    json["write_failures"] = stats.write_failures;
    json["chunks_lost"] = stats.chunks_lost;
    json["waits_expired"] = stats.waits_expired;
    json["stall_ns"] = stats.stall_ns;
    Json& by_cause = json["bytes_in_by_cause"] = Json::object();
    for (size_t cause = 0; cause < causes; ++cause)
        by_cause[cause_text(static_cast<Cause>(cause))] = stats.bytes_in_by_cause[cause];
    json["chunks_promised"] = stats.chunks_promised;
    json["chunks_promised_peak"] = stats.chunks_promised_peak;
    json["frames"] = stats.frames;
    json["frames_peak"] = stats.frames_peak;
}

void put_counts(Json& json, const ClientCounts& counts) {
    json["large_requests"] = counts.large_requests;
    json["large_served"] = counts.large_served;
    json["large_fell_through"] = counts.large_fell_through;
    json["large_refused"] = counts.large_refused;
    json["large_freed"] = counts.large_freed;
    json["large_bytes"] = counts.large_bytes;
    json["large_bytes_served"] = counts.large_bytes_served;
    json["large_bytes_fell_through"] = counts.large_bytes_fell_through;
    json["large_bytes_refused"] = counts.large_bytes_refused;
}

Json session_json(const SessionSummary& session) {
    Json json = {{"pid", session.pid},
                 {"name", session.name},
                 {"uid", session.realm.uid},
                 {"cgroup", session.realm.cgroup},
                 {"ended", session.ended},
                 {"weight", session.share.weight},
                 {"guarantee_bytes", session.share.guarantee_bytes}};
    put_stats(json, session.stats);
    put_counts(json, session.counts);
    return json;
}

Error file_refusal(const char* what) {
    const int os_error = errno;
    return {os_error == EACCES || os_error == EPERM ? Errc::permission : Errc::io, os_error, what};
}

Status write_all(int fd, const std::string& text) {
    size_t written = 0;
    while (written < text.size()) {
        const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_refusal("write of the report");
        written += static_cast<size_t>(count);
    }
    return {};
}

}  // namespace

std::string make_report(const ReportFacts& facts, const ReportNumbers& numbers) {
    Json report;
    report["schema"] = "ciuic-report-1";
    report["device"] = {{"name", facts.device_name},
                        {"frame_kind", facts.frame_kind},
                        {"rung", facts.rung},
                        {"frames", facts.frames},
                        {"chunk_bytes", facts.chunk_bytes},
                        {"budget_bytes", facts.budget_bytes},
                        {"io", facts.io}};
    report["store"] = {{"path", facts.store_path},
                       {"direct", facts.store_direct},
                       {"capacity_bytes", facts.store_capacity_bytes},
                       {"bytes_written", numbers.store.bytes_written},
                       {"bytes_read", numbers.store.bytes_read},
                       {"retries", numbers.store.retries},
                       {"failures", numbers.store.failures},
                       {"late", numbers.store.late},
                       {"places_used", numbers.store.places_used},
                       {"places_quarantined", numbers.store.places_quarantined}};
    report["clients"] = {{"connections", numbers.server.connections},
                         {"handshakes_refused", numbers.server.handshakes_refused},
                         {"handshakes_timed_out", numbers.server.handshakes_timed_out},
                         {"violations", numbers.server.violations},
                         {"unanswerable", numbers.server.unanswerable},
                         {"readers", numbers.server.readers},
                         {"readers_refused", numbers.server.readers_refused},
                         {"summaries_dropped", numbers.server.summaries_dropped}};
    if (!facts.record_path.empty())
        report["record"] = {{"path", facts.record_path},
                            {"uses", numbers.record.uses},
                            {"uses_lost", numbers.record.lost},
                            {"failed", numbers.record.failed}};
    Json& total = report["total"] = Json::object();
    put_stats(total, numbers.total);
    put_counts(total, numbers.counts);
    Json& sessions = report["sessions"] = Json::array();
    for (const SessionSummary& session : numbers.sessions)
        sessions.push_back(session_json(session));
    report["wall_seconds"] = numbers.wall_seconds;
    return report.dump(2) + "\n";
}

Status write_report(const std::string& path, const std::string& report) {
    struct stat status {};
    const bool in_place = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
    const std::string target = in_place ? path : path + ".new";
    const int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | (in_place ? 0 : O_CREAT | O_TRUNC);
    const UniqueFd file(::open(target.c_str(), flags, 0644));
    if (!file) return file_refusal("opening the report's file");
    CIUIC_TRY_STATUS(write_all(file.get(), report));
    if (!in_place && ::rename(target.c_str(), path.c_str()) != 0)
        return file_refusal("renaming the report's file");
    return {};
}

}  // namespace ciuic
