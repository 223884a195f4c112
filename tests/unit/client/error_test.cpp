// SPDX-License-Identifier: Apache-2.0
#include "client/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <thread>

namespace ciuic {
namespace {

// Goal: every way to fail has a status and a text of its own. Method: all codes of both kinds, and
// one that a later daemon might send.
TEST(Error, EveryCodeHasItsStatusAndText) {
    std::set<ciuic_status> statuses;
    for (uint32_t code = 0; code <= static_cast<uint32_t>(Errc::version); ++code)
        EXPECT_TRUE(statuses.insert(status_of(static_cast<Errc>(code))).second) << code;
    EXPECT_EQ(status_of(Errc::ok), CIUIC_OK);
    EXPECT_EQ(status_of(static_cast<Errc>(200)), CIUIC_E_IO);

    std::set<std::string> texts;
    for (int status = CIUIC_OK; status <= CIUIC_E_FORKED; ++status)
        EXPECT_TRUE(texts.insert(ciuic_status_text(static_cast<ciuic_status>(status))).second);
    EXPECT_STREQ(ciuic_status_text(static_cast<ciuic_status>(99)), "unknown status");
}

// Goal: the text of a failure says what was refused and why, and is the thread's own. Method: two
// threads fail differently.
TEST(Error, TextIsOfTheThreadsLastFailure) {
    EXPECT_EQ(fail({Errc::no_memory, ENOSPC, "the store cannot be laid out"}), CIUIC_E_NO_MEMORY);
    std::thread other([] {
        EXPECT_STREQ(last_failure_text(), "");
        EXPECT_EQ(fail(CIUIC_E_BUSY, "a part is acquired"), CIUIC_E_BUSY);
        EXPECT_STREQ(last_failure_text(), "in use: a part is acquired");
    });
    other.join();
    EXPECT_STREQ(last_failure_text(),
                 "no room left: the store cannot be laid out (No space left on device)");
}

}  // namespace
}  // namespace ciuic
