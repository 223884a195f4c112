// SPDX-License-Identifier: Apache-2.0
//
// Goal: no client ever reads a byte that another wrote, be it of the same user or of another.
// Method: three clients, two of them of one user, write their marks into all they have and give it
// back, over and over, in several times the budget; what is new to them must be zero, every word of
// it, and what is not must be theirs.
#include "tests/support/huge_pages.hpp"
#include "tests/system/test_client.hpp"
#include "tests/system/why_not_here.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

namespace ciuic::test {
namespace {

constexpr uint64_t budget_chunks = 16;
constexpr uint64_t client_chunks = 12;  // of each: more than twice the budget together
constexpr uint32_t rounds = 6;

class RealmTest : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (const std::string why = why_no_daemon(); !why.empty()) GTEST_SKIP() << why;
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to be several users";
        if (std::string(GetParam()) == "hugetlb") {
            huge_pages_ = std::make_unique<HugePages>(budget_chunks);
            if (!huge_pages_->refusal().empty()) GTEST_SKIP() << huge_pages_->refusal();
        }
        ::chmod(scratch_.path().c_str(), 0755);
        if (const std::string why = why_no_frames(GetParam()); !why.empty()) GTEST_SKIP() << why;
        ASSERT_TRUE(daemon_.start({"--store", scratch_.path(), "--store-size", "256MiB", "--budget",
                                   "32MiB", "--frames", GetParam(), "--socket-mode", "0666"}))
            << daemon_.log();
    }

    static ciuic_region* new_region(ciuic_session* session) {
        ciuic_region_options wanted{};
        wanted.struct_size = sizeof wanted;
        wanted.size_bytes = client_chunks * 2 * MiB;
        ciuic_region* region = nullptr;
        if (ciuic_region_create(session, &wanted, &region) != CIUIC_OK) ::_exit(call_failed);
        return region;
    }

    // Every word must be `expected`; then it is `next`.
    static void check_and_mark(uint64_t* words, uint64_t expected, uint64_t next) {
        for (uint64_t word = 0; word < client_chunks * 2 * MiB / 8; ++word) {
            if (words[word] != expected) {
                std::fprintf(stderr, "word %llu holds %#llx, not %#llx\n",
                             static_cast<unsigned long long>(word),
                             static_cast<unsigned long long>(words[word]),
                             static_cast<unsigned long long>(expected));
                ::_exit(found_wrong_byte);
            }
            words[word] = next;
        }
    }

    // In the child.
    int churn(uid_t uid, uint64_t mark, ClientFacts& facts) const {
        if (::setgid(uid) != 0 || ::setuid(uid) != 0) return 5;
        ciuic_session* session = nullptr;
        for (uint32_t round = 0; round < rounds; ++round) {
            // A new session now and then: its memory file is a new one too.
            if (!session && open_session(daemon_.socket(), &session) != CIUIC_OK) {
                std::fprintf(stderr, "open: %s\n", ciuic_last_error_text());
                return call_failed;
            }
            ciuic_region* region = new_region(session);
            auto* words = static_cast<uint64_t*>(ciuic_region_address(region));
            check_and_mark(words, 0, mark);
            check_and_mark(words, mark, ~mark);
            const ciuic_range all{region, 0, client_chunks * 2 * MiB};
            if (ciuic_advise(session, &all, 1, CIUIC_ADVICE_DISCARD) != CIUIC_OK)
                return call_failed;
            check_and_mark(words, 0, mark);
            if (ciuic_region_destroy(region) != CIUIC_OK) return call_failed;
            if (round % 3 == 2) {
                ciuic_close(session);
                session = nullptr;
            }
            facts.right.fetch_add(1);
        }
        return ended_well;
    }

    std::unique_ptr<HugePages> huge_pages_;
    Scratch scratch_{"/var/tmp"};
    DaemonProcess daemon_{scratch_.path()};
};

TEST_P(RealmTest, NoClientReadsWhatAnotherWrote) {
    const auto client = [this](uid_t uid, uint64_t mark) {
        return [this, uid, mark](ClientFacts& facts) { return churn(uid, mark, facts); };
    };
    TestClient first(client(12001, 0xaaaa5555aaaa5555));
    TestClient second(client(12001, 0xbbbb4444bbbb4444));
    TestClient other(client(12002, 0xcccc3333cccc3333));
    for (TestClient* each : {&first, &second, &other}) {
        EXPECT_EQ(each->wait(), ended_well);
        EXPECT_EQ(each->facts().right, rounds);
    }
    const auto report = daemon_.report();
    EXPECT_GT(report["total"]["evictions"], budget_chunks);
    EXPECT_GT(report["total"]["fetches"], budget_chunks);
    EXPECT_GE(report["total"]["fills"], 3 * 2 * rounds * client_chunks);
    EXPECT_EQ(report["clients"]["violations"], 0);
}

INSTANTIATE_TEST_SUITE_P(Frames, RealmTest, testing::Values("memfd", "tmpfs", "hugetlb"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ciuic::test
