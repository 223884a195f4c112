// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/rung.hpp"

#include "device/host/rung.hpp"

namespace ciuic::cli::doctor {
namespace {

constexpr const char* no_minor_faults = "no page-cache faults with write protection (5.19)";

// Whether this user may use the features is another finding.
HostRung rung_of_kernel(HostFeatures features) {
    features.userfault = true;
    return rung_of(features);
}

}  // namespace

// Poison is a finding of its own.
Rung shared_rung(const HostFeatures& features) {
    constexpr const char* needs = "Linux 6.4";
    switch (rung_of_kernel(features)) {
    case HostRung::none: return {nullptr, no_minor_faults, needs, false};
    case HostRung::base:
        return {rung_name(HostRung::base), "UFFDIO_CONTINUE; chunks are shown whole", needs, false};
    default:
        return {rung_name(HostRung::protects), "UFFDIO_CONTINUE with write protection", needs,
                true};
    }
}

Rung embedded_rung(const HostFeatures& features) {
    constexpr const char* needs = "Linux 6.8";
    const HostRung rung = rung_of_kernel(features);
    if (rung == HostRung::none) return {nullptr, no_minor_faults, needs, false};
    if (rung == HostRung::moves) return {rung_name(rung), "UFFDIO_MOVE", needs, true};
    return {rung_name(rung), "a memory file is paged in place of moving frames", needs, false};
}

}  // namespace ciuic::cli::doctor
