// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/findings.hpp"
#include "cli/doctor/rung.hpp"

namespace ciuic::cli::doctor {
namespace {

std::vector<std::string> newer_kernel(const Facts& facts, const std::string& needs) {
    if (facts.place.is_wsl) return {"in Windows: wsl --update", "boot " + needs + " or newer"};
    if (!facts.place.container.empty())
        return {"boot the container's host with " + needs + " or newer"};
    return {"boot " + needs +
            " or newer; on Debian 12: sudo apt install -t bookworm-backports "
            "linux-image-amd64"};
}

Finding judge_rung(const Facts& facts, const char* id, const char* who, const Rung& rung,
                   State without) {
    Finding finding{id,
                    State::ok,
                    "Linux " + facts.kernel.release + ", " + who + ": ",
                    "the way in which the kernel lets memory be paged; the best is the fastest",
                    {}};
    finding.what += rung.name ? std::string(rung.how) + " (" + rung.name + ")"
                              : std::string("cannot be served, ") + rung.how;
    if (!rung.name) finding.state = without;
    if (rung.name && !rung.is_best) finding.state = State::warn;
    if (!rung.is_best) finding.remedies = newer_kernel(facts, rung.best_needs);
    return finding;
}

}  // namespace

std::vector<Finding> judge_kernel(const Facts& facts) {
    const HostFeatures& features = facts.kernel.features;
    Finding poison{"kernel.poison",
                   State::ok,
                   "lost data raises SIGBUS (UFFDIO_POISON)",
                   "an access to bytes that are lost must fail, never read zeros",
                   {}};
    if (!features.poison) {
        poison.state = State::warn;
        poison.what = "lost data cannot be marked page by page (no UFFDIO_POISON)";
        poison.remedies = newer_kernel(facts, "Linux 6.6");
    }
    return {judge_rung(facts, "kernel.shared", "programs with a daemon", shared_rung(features),
                       State::fail),
            judge_rung(facts, "kernel.embedded", "sessions inside a program",
                       embedded_rung(features), State::warn),
            poison};
}

}  // namespace ciuic::cli::doctor
