// SPDX-License-Identifier: Apache-2.0
//
// A storm: clients of one daemon that are killed and stopped at random while others go on.
//
// When a client dies, the driver holds a copy of its socket. The daemon can therefore not see the
// death as a hang-up, and the end of its own side of the socket, which the copy shows, is the
// moment at which the daemon has noticed.
//
// Threads: one.
#pragma once

#include "base/mapping.hpp"
#include "base/random.hpp"
#include "base/unique_fd.hpp"
#include "base/units.hpp"
#include "tests/system/storm/log.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace ciuic::test {

struct StormOptions {
    std::string socket;
    std::string directory;  // for the log
    uint64_t seed = 0;
    uint32_t kills = 0;
    uint32_t survivors = 2;
    uint32_t victims = 4;
    uint32_t chunks = 0;          // of each client
    Nanos pause_max{60'000'000};  // between one blow and the next
};

struct StormResult {
    uint32_t kills = 0;
    uint32_t kills_of_stopped = 0;
    uint32_t stops = 0;
    uint32_t unnoticed = 0;             // the daemon kept the connection of a dead client
    std::vector<Nanos> after_kill;      // from kill(2) to the daemon having noticed
    std::vector<Nanos> after_death;     // from the process's end, as its parent sees it
    std::vector<std::string> failures;  // clients that ended by themselves, or not when asked
};

class Storm {
public:
    explicit Storm(const StormOptions& options);
    ~Storm();

    // Ends with the last kill; the clients that are left go on.
    void run();
    // All that are left verify their memory and end.
    void end();

    const StormResult& result() const { return result_; }
    uint64_t survivors_wait_max_ns() const;
    // Of the survivors' touches, so many of 1000 took no longer than this, rounded up to a power
    // of two.
    uint64_t survivors_wait_ns(uint32_t per_mille) const;
    const StormRecord& record(uint32_t client) const { return records_[client]; }

private:
    struct Client {
        pid_t pid = 0;
        bool stopped = false;
    };

    void start(uint32_t index);
    void look_for_failures();
    void strike(uint32_t index);
    void kill(uint32_t index);
    void note_end(uint32_t index, int status);

    StormOptions options_;
    Random random_;
    UniqueFd log_;
    Mapping records_memory_;
    StormRecord* records_ = nullptr;
    std::vector<Client> clients_;  // survivors first
    StormResult result_;
};

}  // namespace ciuic::test
