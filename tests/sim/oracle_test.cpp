// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ciuic::sim {
namespace {

using Words = std::array<uint64_t, 2>;

class OracleTest : public testing::Test {
protected:
    OracleTest() {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        for (uint32_t program = 0; program < 2; ++program) {
            oracle.begin(program);
            oracle.promised(program, 0);
        }
        oracle.wrote(0, 0, 4, Words{11, 12});
    }

    Oracle oracle{2, 2, 4096};
};

// Goal: the oracle accepts the bytes last written and nothing else. Method: offer it the right
// bytes, older ones, zeros, and those of another program.
TEST_F(OracleTest, AcceptsOnlyWhatWasWrittenLast) {
    oracle.check_read(0, 0, 4, Words{11, 12});
    oracle.check_read(0, 0, 6, Words{0, 0});
    oracle.wrote(0, 0, 4, Words{21, 22});
    oracle.wrote(1, 0, 4, Words{31, 32});
    oracle.check_read(0, 0, 4, Words{21, 22});
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{11, 12}), "last written");
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{0, 0}), "last written");
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{31, 32}), "last written");
    EXPECT_DEATH(oracle.check_read(0, 1, 4, Words{0, 0}), "read vacant");
}

// Goal: while a clear is under way old bytes and zeros are right, afterwards only zeros; a write
// that races with the clear may be kept or cleared, but not both in turn.
// Method: go through the cases.
TEST_F(OracleTest, ForgivesDuringAClearOnly) {
    oracle.clear_begins(0, 0);
    oracle.check_read(0, 0, 4, Words{11, 0});
    oracle.wrote(0, 0, 8, Words{41, 42});
    oracle.check_read(0, 0, 8, Words{41, 0});
    oracle.clear_ends(0, 0, true);
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{11, 12}), "last written");
    oracle.check_read(0, 0, 4, Words{0, 0});
    oracle.check_read(0, 0, 8, Words{41, 0});
    EXPECT_DEATH(oracle.check_read(0, 0, 8, Words{0, 0}), "last written");
    EXPECT_DEATH(oracle.check_read(0, 0, 8, Words{41, 42}), "last written");
}

// Goal: a clear that was asked for before the chunk was given up may come over what has been
// written since it was promised anew. Method: in that order; and a second write, which no clear can
// reach.
TEST_F(OracleTest, AClearFromBeforeReachesWhatIsPromisedAnew) {
    oracle.clear_begins(0, 0);
    oracle.discard_begins(0, 0);
    oracle.promised(0, 0);
    oracle.discard_ends(0, 0);
    oracle.promised(0, 0);
    oracle.wrote(0, 0, 4, Words{51, 52});
    oracle.clear_ends(0, 0, true);
    oracle.check_read(0, 0, 4, Words{0, 52});
    oracle.wrote(0, 0, 4, Words{61, 62});
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{0, 62}), "last written");
}

// Goal: a loud failure needs a reason, a loss is final until the chunk is cleared, and an expired
// wait is no loss. Method: fail accesses with each excuse and look at what is allowed next.
TEST_F(OracleTest, WantsAReasonForEveryFailure) {
    EXPECT_DEATH(oracle.check_failed(0, 0, Excuse::none), "no injected fault explains it");
    oracle.check_failed(1, 0, Excuse::expired);
    oracle.check_read(1, 0, 0, Words{0, 0});
    EXPECT_DEATH(oracle.check_failed(1, 0, Excuse::none), "no injected fault explains it");
    EXPECT_EQ(oracle.losses(), 0u);

    oracle.check_failed(0, 0, Excuse::damage);
    oracle.check_failed(0, 0, Excuse::none);
    EXPECT_EQ(oracle.losses(), 1u);
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{11, 12}), "read lost");
    oracle.clear_begins(0, 0);
    oracle.clear_ends(0, 0, true);
    oracle.check_read(0, 0, 4, Words{0, 0});
    EXPECT_DEATH(oracle.check_failed(0, 0, Excuse::none), "no injected fault explains it");
}

// Goal: memory that was given up is not read again, and comes back as zeros. Method: discard,
// promise again.
TEST_F(OracleTest, ForgetsWhatWasDiscarded) {
    oracle.discard_begins(0, 0);
    oracle.check_read(0, 0, 4, Words{11, 12});
    oracle.check_failed(0, 0, Excuse::none);
    oracle.discard_ends(0, 0);
    EXPECT_TRUE(oracle.is_vacant(0, 0));
    EXPECT_EQ(oracle.promised_max(0), 0u);
    oracle.promised(0, 0);
    EXPECT_DEATH(oracle.check_read(0, 0, 4, Words{11, 12}), "last written");
    oracle.check_read(0, 0, 4, Words{0, 0});
}

}  // namespace
}  // namespace ciuic::sim
