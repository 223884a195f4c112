// SPDX-License-Identifier: Apache-2.0
//
// The report: what a daemon did in its life, as JSON with the schema "ciuic-report-1".
//
// Every key names its unit where it has one; every field of SessionStats is there, for each session
// and in total.
// Threads: the daemon's.
#pragma once

#include "daemon/recorder.hpp"
#include "daemon/server.hpp"

#include <string>

namespace ciuic {

// What does not change while the daemon lives.
struct ReportFacts {
    std::string device_name;
    std::string frame_kind;
    std::string rung;
    uint32_t frames = 0;
    uint64_t chunk_bytes = 0;
    uint64_t budget_bytes = 0;
    std::string io;
    std::string store_path;
    uint64_t store_capacity_bytes = 0;
    bool store_direct = false;  // O_DIRECT, without the page cache
    std::string record_path{};  // empty: nothing is recorded
};

struct ReportNumbers {
    StoreStats store;
    SessionStats total;
    ClientCounts counts;
    ServerCounts server;
    std::vector<SessionSummary> sessions;
    RecordCounts record{};
    double wall_seconds = 0;
};

// The text of the file.
std::string make_report(const ReportFacts& facts, const ReportNumbers& numbers);

// Replaces the file as a whole; what is not a regular file (a pipe, a terminal) is written to.
// Error: permission, io.
Status write_report(const std::string& path, const std::string& report);

}  // namespace ciuic
