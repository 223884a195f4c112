// SPDX-License-Identifier: Apache-2.0
//
// What compose.cpp chooses and refuses; that its choices work is for the other tests.
#include "base/units.hpp"
#include "ciuic/vmm.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace ciuic {
namespace {

// Goal: options outside their bounds are refused before anything is made. Method: one at a time.
TEST(Compose, RefusesWhatIsOutOfBounds) {
    const auto open = [](auto change) {
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_EMBEDDED;
        options.budget_bytes = 16 * MiB;
        options.store_bytes = 16 * MiB;
        change(options);
        vmm::Session session;
        return session.open(&options);
    };
    EXPECT_EQ(open([](ciuic_options& o) { o.mode = 3; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.flags = 2; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.struct_size = 0; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.chunk_bytes = 3 * MiB; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.chunk_bytes = 4 * KiB; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.budget_bytes = 15 * MiB; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.budget_bytes = uint64_t{1} << 60; }),
              CIUIC_E_NO_MEMORY);
    EXPECT_EQ(open([](ciuic_options& o) { o.store_bytes = uint64_t{1} << 60; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.address_bytes = uint64_t{1} << 60; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) { o.store_path = "/dev/null"; }), CIUIC_E_INVALID);
    EXPECT_EQ(open([](ciuic_options& o) {
                  o.mode = CIUIC_MODE_AUTO;
                  o.socket_path = "/nonexistent/socket";
              }),
              CIUIC_E_DISCONNECTED);
}

// Goal: where nothing is asked for, the session is embedded unless a daemon is named or listens.
// Method: CIUIC_SOCKET set to a path without a listener, and unset.
TEST(Compose, FallsBackToEmbeddedOnlyWhenNoDaemonIsNamed) {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.budget_bytes = 16 * MiB;
    options.store_bytes = 16 * MiB;
    ::setenv("CIUIC_SOCKET", "/nonexistent/socket", 1);
    vmm::Session named;
    EXPECT_EQ(named.open(&options), CIUIC_E_DISCONNECTED);
    ::unsetenv("CIUIC_SOCKET");
    vmm::Session session;
    const ciuic_status opened = session.open(&options);
    if (opened == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();
    ASSERT_EQ(opened, CIUIC_OK) << ciuic_last_error_text();
    ciuic_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    ASSERT_EQ(ciuic_stats(session, &statistics), CIUIC_OK);
    if (statistics.mode == CIUIC_MODE_DAEMON) GTEST_SKIP() << "a daemon runs on this machine";
    EXPECT_EQ(statistics.budget_bytes, 16 * MiB);
    EXPECT_EQ(statistics.chunk_bytes, 2 * MiB);
    EXPECT_EQ(statistics.address_bytes, 16 * GiB);
}

}  // namespace
}  // namespace ciuic
