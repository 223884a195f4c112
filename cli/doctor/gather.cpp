// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/gather.hpp"

#include "base/units.hpp"
#include "limits.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

namespace ciuic::cli::doctor {
namespace {

std::string user_name() {
    const passwd* entry = ::getpwuid(::geteuid());
    return entry ? entry->pw_name : std::to_string(::geteuid());
}

}  // namespace

Facts gather(const Wishes& wishes) {
    const Files files;
    Facts facts;
    facts.user = user_name();
    facts.kernel = gather_kernel();
    facts.userfault = gather_userfault();
    facts.memory = gather_memory(files);
    facts.limits = gather_limits(files);
    facts.io = gather_io(files);
    facts.store = gather_store(wishes.store);
    facts.daemon = gather_daemon(wishes.socket);
    facts.place = gather_place(files, facts.kernel.release);
    facts.budget_bytes = wishes.budget_bytes;
    if (facts.budget_bytes == 0)
        facts.budget_bytes = std::max(facts.memory.total_bytes / 8 / MiB * MiB,
                                      limits::frames_min * limits::chunk_bytes_default);
    return facts;
}

}  // namespace ciuic::cli::doctor
