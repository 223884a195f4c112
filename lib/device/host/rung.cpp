// SPDX-License-Identifier: Apache-2.0
#include "device/host/rung.hpp"

namespace ciuic {

namespace {

struct RungText {
    const char* name;
    const char* why;
};

constexpr RungText texts[] = {
    {"none", "Ciuic needs Linux 6.1: this kernel cannot page shared memory (userfaultfd with minor "
             "faults and write protection of shared memory)"},
    {"base", "Linux 6.1 to 6.3: chunks are shown whole, every eviction compares what was written, "
             "and a lost chunk ends its session"},
    {"protects", "Linux 6.4 or 6.5: a lost chunk ends its session, and embedded sessions page a "
                 "memory file"},
    {"poisons", "Linux 6.6 or 6.7: embedded sessions page a memory file in place of moving frames"},
    {"moves", "Linux 6.8 or newer: nothing is lacking"},
};
static_assert(std::size(texts) == host_rungs.size());

const RungText& text_of(HostRung rung) { return texts[static_cast<size_t>(rung)]; }

}  // namespace

HostRung rung_of(const HostFeatures& features) {
    if (!features.userfault || !features.minor_shared) return HostRung::none;
    if (!features.continue_wp) return HostRung::base;
    if (!features.poison) return HostRung::protects;
    return features.move ? HostRung::moves : HostRung::poisons;
}

HostFeatures limited_to(HostRung highest, HostFeatures features) {
    if (highest < HostRung::moves) features.move = false;
    if (highest < HostRung::poisons) features.poison = false;
    if (highest < HostRung::protects) features.continue_wp = false;
    if (highest < HostRung::base) features.minor_shared = features.minor_hugetlb = false;
    return features;
}

const char* rung_name(HostRung rung) { return text_of(rung).name; }

HostRungReport host_rung() {
    const HostFeatures features = probe_host_features();
    const HostRung rung = rung_of(features);
    const char* why = features.userfault ? text_of(rung).why : features.refusal.what;
    return {.rung = rung, .name = rung_name(rung), .why = why};
}

}  // namespace ciuic
