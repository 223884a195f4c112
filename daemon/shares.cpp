// SPDX-License-Identifier: Apache-2.0
#include "daemon/shares.hpp"

namespace ciuic {

bool fits(const ShareRule& rule, const Realm& realm) {
    if (rule.user && *rule.user != realm.uid) return false;
    if (rule.cgroup.empty()) return true;
    if (realm.cgroup.compare(0, rule.cgroup.size(), rule.cgroup) != 0) return false;
    return realm.cgroup.size() == rule.cgroup.size() || realm.cgroup[rule.cgroup.size()] == '/';
}

const Share& share_of(const std::vector<ShareRule>& rules, const Share& otherwise,
                      const Realm& realm) {
    for (const ShareRule& rule : rules)
        if (fits(rule, realm)) return rule.share;
    return otherwise;
}

}  // namespace ciuic
