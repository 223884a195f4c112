// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/findings.hpp"

#include <algorithm>

namespace ciuic::cli::doctor {

std::vector<Finding> find(const Facts& facts) {
    std::vector<Finding> all;
    for (const auto judge :
         {judge_kernel, judge_rights, judge_memory, judge_limits, judge_store, judge_place}) {
        const std::vector<Finding> some = judge(facts);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

bool any_fails(const std::vector<Finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.state == State::fail; });
}

std::string container_option(const Facts& facts, const std::string& option) {
    const std::string& kind = facts.place.container;
    if (kind == "docker" || kind == "podman") return kind + " run " + option + " ...";
    return "give the container what `docker run " + option + "` would";
}

}  // namespace ciuic::cli::doctor
