// SPDX-License-Identifier: Apache-2.0
//
// Realm: one user in one cgroup, the border that no physical memory crosses.
//
// Source: proc(5), cgroups(7): /proc/PID/cgroup has a line "ID:CONTROLLERS:PATH" per hierarchy;
// version 2 is "0::PATH".
//
// Threads: any.
#pragma once

#include "protocol/socket.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ciuic {

struct Realm {
    uid_t uid = 0;
    std::string cgroup;  // as the daemon sees it; "/" where there is none
    uint64_t id = 0;     // of both together; binds integrity tags
};

// The realm of whoever connected, as it is now. Error: disconnected (the process has ended, so its
// number may be another's).
Result<Realm> realm_of(const Peer& peer);

// The cgroup that memory is charged to, of the text of /proc/PID/cgroup.
std::string memory_cgroup_in(std::string_view text);

}  // namespace ciuic
