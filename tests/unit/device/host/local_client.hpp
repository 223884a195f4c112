// SPDX-License-Identifier: Apache-2.0
//
// A client of the shared device that lives in the test's own process: the pager's calls on this
// thread, the program's touches on others.
#pragma once

#include "base/mapping.hpp"
#include "base/unique_fd.hpp"
#include "device/host/client_side.hpp"
#include "device/host/shared.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

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

// Whether a forked child has all of the range, as its own memory map says.
inline bool child_inherits(const Mapping& mapping) {
    const auto begin = reinterpret_cast<uint64_t>(mapping.data());
    const pid_t child = ::fork();
    if (child == 0) {
        std::ifstream maps("/proc/self/maps");
        uint64_t from = 0;
        uint64_t to = 0;
        for (std::string line; std::getline(maps, line);)
            if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &from, &to) == 2 &&
                from <= begin && begin + mapping.size_bytes() <= to)
                ::_exit(1);
        ::_exit(0);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status != 0;
}

// Whether the kernel lets this process be paged; tests skip with the text where it does not.
inline std::string userfault_refusal() {
    const HostFeatures features = probe_host_features();
    if (!features.userfault) return features.refusal.what;
    if (!features.minor_shared || !features.continue_wp || !features.poison || !features.move)
        return "the kernel is older than 6.8";
    return {};
}

}  // namespace ciuic::test
