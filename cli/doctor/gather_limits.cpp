// SPDX-License-Identifier: Apache-2.0
#include "base/unique_fd.hpp"
#include "cli/doctor/gather.hpp"
#include "io/open.hpp"

#include <fcntl.h>
#include <sys/resource.h>

namespace ciuic::cli::doctor {
namespace {

uint64_t bytes_of(rlim_t limit) { return limit == RLIM_INFINITY ? unlimited : limit; }

}  // namespace

LimitFacts gather_limits(const Files& files) {
    LimitFacts facts;
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) facts.memlock_bytes = bytes_of(limit.rlim_cur);
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.nofile_hard = bytes_of(limit.rlim_max);
    facts.max_map_count = files.number("/proc/sys/vm/max_map_count").value_or(0);
    return facts;
}

IoFacts gather_io(const Files& files) {
    IoFacts facts;
    const UniqueFd any(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto ring = open_io(any.get(), 1, IoKind::uring);
    if (!ring.has_value()) facts.ring_error = ring.error().os_error;
    const auto setting = files.number("/proc/sys/kernel/io_uring_disabled");
    if (setting) facts.disabled_setting = static_cast<int>(*setting);
    return facts;
}

}  // namespace ciuic::cli::doctor
