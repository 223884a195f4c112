// SPDX-License-Identifier: Apache-2.0
//
// A client of the shared device that lives in the test's own process: the pager's calls on this
// thread, the program's touches on others.
#pragma once

#include "base/mapping.hpp"
#include "base/unique_fd.hpp"
#include "device/host/client_side.hpp"
#include "device/host/rung.hpp"
#include "device/host/shared.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace ciuic::test {

struct LocalClient {
    Mapping space;
    UniqueFd uffd;

    // Maps and registers; attach() is the test's to call.
    LocalClient(int file, uint64_t length_bytes) {
        Result<Mapping> mapped = map_space(file, length_bytes);
        Result<UniqueFd> opened = open_userfault(-1);
        EXPECT_TRUE(mapped.has_value() && opened.has_value());
        space = *std::move(mapped);
        uffd = *std::move(opened);
        EXPECT_TRUE(uffd_handshake(uffd.get(), shared_userfault_features()).has_value());
        EXPECT_TRUE(register_space(uffd.get(), space.data(), length_bytes, true).has_value());
    }

    uint64_t base() const { return reinterpret_cast<uint64_t>(space.data()); }
    UniqueFd copy() const { return UniqueFd(::dup(uffd.get())); }
};

// Whether a forked child has all of the range. The child is the kernel's alone: a C library or a
// sanitizer that prepares it might map something of its own into the gap.
inline bool child_inherits(const Mapping& mapping) {
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
        // ENOMEM where any of it is not mapped.
        const bool is_mapped =
            ::syscall(SYS_msync, mapping.data(), mapping.size_bytes(), MS_ASYNC) == 0;
        ::syscall(SYS_exit_group, is_mapped ? 1 : 0);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status != 0;
}

// Whether the kernel lets this process be paged, on that rung of the ladder; tests skip with the
// text where it does not.
inline std::string userfault_refusal(HostRung needed) {
    const HostRungReport here = host_rung();
    if (here.rung >= needed) return {};
    return std::string("needs rung ") + rung_name(needed) + ": " + here.why;
}

}  // namespace ciuic::test
