// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/rung.hpp"

namespace ciuic::cli::doctor {

Rung shared_rung(const HostFeatures& features) {
    constexpr const char* needs = "Linux 6.4";
    if (!features.minor_shared || !features.minor_hugetlb)
        return {nullptr, "no page-cache faults with write protection (5.19)", needs, false};
    if (!features.continue_wp)
        return {nullptr, "no UFFDIO_CONTINUE with write protection (6.4)", needs, false};
    return {"continue-wp", "UFFDIO_CONTINUE with write protection", needs, true};
}

Rung embedded_rung(const HostFeatures& features) {
    constexpr const char* needs = "Linux 6.8";
    if (!features.move) return {nullptr, "no UFFDIO_MOVE (6.8)", needs, false};
    if (!features.poison) return {nullptr, "no UFFDIO_POISON (6.6)", needs, false};
    return {"move", "UFFDIO_MOVE", needs, true};
}

}  // namespace ciuic::cli::doctor
