// SPDX-License-Identifier: Apache-2.0
//
// Processes of our own program: started, watched until a deadline, ended by their own id.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "probes.hpp"
#include "report.hpp"

namespace ciuic::probe {

// Starts this program again with `arguments` and added `environment`; the child finds `fd` under
// the number CHILD_FD and dies with its parent's thread.
inline constexpr int CHILD_FD = 3;
pid_t start_self(const std::vector<std::string>& arguments, int fd,
                 const std::vector<std::pair<std::string, std::string>>& environment = {});

// Ends the child if it is still there and collects it. The text says how it ended ("exit 0",
// "signal 9"); a child stuck in the driver is left behind after 5 s and named so.
std::string end_child(pid_t child);
inline const char* const ENDED_WELL = "exit 0";
inline const char* const ENDED_WITHOUT_CARD = "exit 2";

// Waits up to the deadline for the child to end by itself, then as end_child().
std::string wait_child(pid_t child, std::chrono::steady_clock::time_point deadline);

// Bytes from `fd` until its writers have closed it or the deadline has come (then *timed_out).
std::string read_until(int fd, std::chrono::steady_clock::time_point deadline, bool* timed_out);

ProbeResult run_probe(const Probe& probe, const Settings& settings,
                      std::chrono::steady_clock::time_point deadline);

// Arguments that hand the settings to another process of ours.
std::vector<std::string> settings_arguments(const Settings& settings);

}  // namespace ciuic::probe
