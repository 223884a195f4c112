// SPDX-License-Identifier: Apache-2.0
//
// What the daemon can be told: one table of settings, each a key of the configuration file and an
// option of the command line (ciuic.example.toml lists them all, with their meaning).
//
// Not here: what is done with the values (compose.cpp).
// Threads: start-up only.
#pragma once

#include "base/units.hpp"
#include "daemon/shares.hpp"
#include "io/open.hpp"
#include "limits.hpp"
#include "protocol/wire.hpp"

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ciuic {

enum class FramesChoice : uint8_t { automatic, hugetlb, tmpfs, memfd };

struct DaemonConfig {
    std::string socket = wire::default_socket_path;
    mode_t socket_mode = 0600;
    std::string report;  // empty: none
    std::string record;  // likewise

    std::string device_kind = "host";
    uint64_t budget_bytes = 0;  // has no default
    uint64_t chunk_bytes = limits::chunk_bytes_default;
    FramesChoice frames = FramesChoice::automatic;
    bool learns = true;

    std::string store_path = "/var/tmp";
    uint64_t store_bytes = 0;  // 0: chosen from the budget and the file system's room
    IoKind io = IoKind::automatic;

    Share session;                  // where no rule says otherwise
    std::vector<ShareRule> shares;  // in the file only; the first that fits counts
    UserLimits user;

    uint32_t worker_threads = 0;  // 0: chosen from the number of processors
};

struct Setting {
    const char* section;
    const char* key;
    const char* option;  // of the command line
    const char* help;
    // The file must give a string: a number there would not mean what it looks like.
    bool is_text;
    // Sets the value; returns what is wrong with it and what to write instead, or nothing.
    std::string (*set)(DaemonConfig& config, const std::string& text);
};
std::span<const Setting> settings();

// Each problem is one line: where, what, why, what to do. No lines: all is well.
std::vector<std::string> read_config_file(const std::string& path, DaemonConfig& config);
// What only shows when every value is known.
std::vector<std::string> check_config(const DaemonConfig& config);

// With defaults that depend on this machine filled in. Error: io (the store's path), no_memory (no
// room for a store).
Result<DaemonConfig> with_machine_defaults(DaemonConfig config);

}  // namespace ciuic
