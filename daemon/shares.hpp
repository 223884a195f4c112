// SPDX-License-Identifier: Apache-2.0
//
// Shares: who may have how much of the device, the disk and the store.
//
// Not here: how a share is written in a configuration (config), and kept (engine/).
// Threads: any.
#pragma once

#include "daemon/realm.hpp"
#include "limits.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ciuic {

// Of one session.
struct Share {
    uint64_t max_promise_bytes = 0;  // 0: as much as the store holds
    uint32_t max_frames = 0;         // 0: all
    uint64_t guarantee_bytes = 0;    // of device memory that others' needs do not take
    uint32_t weight = limits::weight_default;
};

// The share of every session of a user, in a cgroup or below it. What is not named fits all.
struct ShareRule {
    std::optional<uid_t> user;
    std::string cgroup;  // without a slash at its end; empty: any
    Share share;
};

bool fits(const ShareRule& rule, const Realm& realm);

// The share of the first rule that fits, else `otherwise`.
const Share& share_of(const std::vector<ShareRule>& rules, const Share& otherwise,
                      const Realm& realm);

// Of all sessions of one user together.
struct UserLimits {
    uint32_t max_sessions = 0;       // 0: all but an eighth of the daemon's
    uint64_t max_promise_bytes = 0;  // 0: as much as the store holds
};

}  // namespace ciuic
