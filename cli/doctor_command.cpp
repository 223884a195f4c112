// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_command.hpp"

#include "base/size_text.hpp"
#include "cli/doctor/gather.hpp"
#include "cli/doctor/print.hpp"
#include "cli/run.hpp"
#include "limits.hpp"

#include <cstdio>

namespace ciuic::cli {

int run_doctor(const DoctorOptions& options) {
    doctor::Wishes wishes;
    if (!options.store.empty()) wishes.store = options.store;
    wishes.socket = options.socket;
    if (!options.budget.empty()) {
        const Result<uint64_t> budget = parse_size(options.budget);
        constexpr uint64_t least_bytes = limits::frames_min * limits::chunk_bytes_default;
        if (!budget.has_value() || *budget < least_bytes) {
            std::fprintf(stderr, "ciuic: --budget %s: %s\n", options.budget.c_str(),
                         budget.has_value() ? "no daemon works with less than 16MiB"
                                            : budget.error().what);
            return exit_refused;
        }
        wishes.budget_bytes = *budget;
    }
    const doctor::Facts facts = doctor::gather(wishes);
    const auto findings = doctor::find(facts);
    const std::string text =
        options.json ? doctor::json_of(facts, findings) : doctor::text_of(facts, findings);
    std::fputs(text.c_str(), stdout);
    return doctor::any_fails(findings) ? 1 : 0;
}

}  // namespace ciuic::cli
