// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/findings.hpp"

namespace ciuic::cli::doctor {

// Neither is right or wrong by itself; the remedies of the other findings follow it.
std::vector<Finding> judge_place(const Facts& facts) {
    const PlaceFacts& place = facts.place;
    Finding container{"place.container",
                      State::ok,
                      "not in a container",
                      "containers bring filters, limits and a file system of their own",
                      {}};
    if (!place.container.empty()) container.what = "in a container (" + place.container + ")";
    Finding wsl{"place.wsl",
                State::ok,
                "not under Windows",
                "under Windows, memory and disk are those of a virtual machine",
                {}};
    if (place.is_wsl)
        wsl.what = "under Windows (WSL): memory= in .wslconfig is all there is, and /mnt/c is slow";
    return {container, wsl};
}

}  // namespace ciuic::cli::doctor
