// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ciuic {
namespace {

class ConfigTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "ciuic-config-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = directory_ + "/c.toml";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::vector<std::string> read(const std::string& text) {
        std::ofstream(path_) << text;
        config_ = {};
        return read_config_file(path_, config_);
    }

    std::string directory_;
    std::string path_;
    DaemonConfig config_;
};

// Goal: every key sets its value. Method: a file with all of them, none at its default.
TEST_F(ConfigTest, ReadsEverySetting) {
    const auto problems = read(
        "[daemon]\nsocket = \"/tmp/s\"\nsocket_mode = \"0660\"\n"
        "report = \"/tmp/r\"\nrecord = \"/tmp/t\"\n"
        "[device]\nkind = \"host\"\nbudget = \"1.5GiB\"\nchunk = 65536\n"
        "frames = \"tmpfs\"\npolicy = \"plain\"\n"
        "[store]\npath = \"/tmp\"\nsize = \"6GiB\"\nio = \"threads\"\n"
        "[session]\nmax_promise = \"4GiB\"\nmax_frames = 99\nguarantee = \"1GiB\"\nweight = 300\n"
        "[user]\nmax_sessions = 5\nmax_promise = \"8GiB\"\n"
        "[workers]\nthreads = 3\n");
    EXPECT_EQ(problems, std::vector<std::string>{});
    EXPECT_EQ(config_.socket, "/tmp/s");
    EXPECT_EQ(config_.socket_mode, 0660u);
    EXPECT_EQ(config_.report, "/tmp/r");
    EXPECT_EQ(config_.record, "/tmp/t");
    EXPECT_FALSE(config_.learns);
    EXPECT_EQ(config_.budget_bytes, GiB + GiB / 2);
    EXPECT_EQ(config_.chunk_bytes, 64 * KiB);
    EXPECT_EQ(config_.frames, FramesChoice::tmpfs);
    EXPECT_EQ(config_.store_path, "/tmp");
    EXPECT_EQ(config_.store_bytes, 6 * GiB);
    EXPECT_EQ(config_.io, IoKind::threads);
    EXPECT_EQ(config_.session.max_promise_bytes, 4 * GiB);
    EXPECT_EQ(config_.session.max_frames, 99u);
    EXPECT_EQ(config_.session.guarantee_bytes, GiB);
    EXPECT_EQ(config_.session.weight, 300u);
    EXPECT_EQ(config_.user.max_sessions, 5u);
    EXPECT_EQ(config_.user.max_promise_bytes, 8 * GiB);
    EXPECT_EQ(config_.worker_threads, 3u);
    EXPECT_TRUE(check_config(config_).empty());
    EXPECT_EQ(settings().size(), 19u);
}

// Goal: each mistake gives one line that names the file, the line, the key, and what would be
// right. Method: files with one mistake each, on their second line.
TEST_F(ConfigTest, NamesEveryMistake) {
    const struct {
        const char* text;
        const char* expected;  // a part of the line
    } cases[] = {
        {"[device]\nbugdet = 1\n", "[device] bugdet: unknown key; known here: kind, budget, chunk"},
        {"[device]\nbudget = \"6GB\"\n",
         "\"6GB\": units of 1000 bytes are not accepted; write KiB"},
        {"[device]\nbudget = -5\n", "\"-5\": a size is a number of bytes, or like 256MiB"},
        {"[device]\nbudget = 1.5\n", "neither a whole number nor a string like \"6GiB\""},
        {"[device]\nbudget = true\n", "neither a whole number"},
        {"[device]\nbudget = [1]\n", "neither a whole number"},
        {"[device]\nchunk = \"3MiB\"\n", "a chunk is a power of two from 64KiB to 64MiB"},
        {"[device]\nchunk = \"32KiB\"\n", "a chunk is a power of two"},
        {"[device]\nchunk = \"128MiB\"\n", "a chunk is a power of two"},
        {"[device]\nframes = \"huge\"\n", "frames are one of auto, hugetlb, tmpfs, memfd"},
        {"[device]\npolicy = \"none\"\n", "policy is one of learn, plain"},
        {"[device]\nkind = \"cuda\"\n", "this build has one kind of device: host"},
        {"[store]\nio = \"aio\"\n", "io is one of auto, io_uring, threads"},
        {"[store]\npath = \"\"\n", "the path is empty; leave the key out for the default"},
        {"[daemon]\nsocket = 7\n", "not a string; write it in quotes"},
        {"[daemon]\nsocket_mode = 0o660\n", "not a string; write it in quotes"},
        {"[daemon]\nsocket_mode = \"0888\"\n", "not an octal file mode"},
        {"[daemon]\nsocket_mode = \"07777\"\n", "not an octal file mode"},
        {"[session]\nweight = 0\n", "not a whole number from 1 to 10000; 100 is everybody's"},
        {"\n[[share]]\nweight = 5\n", "[[share]]: for whom?"},
        {"[[share]]\nuser = \"no-such-user\"\n", "there is no such user on this machine"},
        {"[[share]]\ncgroup = \"jobs/\"\n", "a cgroup is a path like"},
        {"\n[share]\nuser = 1\n", "share: a list of tables; write [[share]]"},
        {"[session]\nmax_frames = \"many\"\n", "not a whole number from 0 to"},
        {"[session]\nmax_frames = 99999999999\n", "not a whole number from 0 to"},
        {"[workers]\nthreads = 65\n", "not a whole number from 0 to 64"},
        {"\n[sessions]\n",
         "sessions: unknown section; known sections: [daemon], [device], [store]"},
        {"\nbudget = 5\n", "budget: unknown key outside every section; known sections:"},
        {"[device]\nbudget = = 5\n", "not TOML ("},
        {"[device]\nbudget = 5\nbudget = 6\n", "not TOML ("},
    };
    for (const auto& entry : cases) {
        SCOPED_TRACE(entry.text);
        const auto problems = read(entry.text);
        ASSERT_EQ(problems.size(), 1u);
        EXPECT_NE(problems[0].find(entry.expected), std::string::npos) << problems[0];
        EXPECT_EQ(problems[0].find('\n'), std::string::npos);
        const bool on_line_3 = std::string(entry.text).find("budget = 6") != std::string::npos;
        EXPECT_EQ(problems[0].find(path_ + (on_line_3 ? ":3: " : ":2: ")), 0u) << problems[0];
    }
}

// Goal: the first rule that fits counts; what a rule leaves out comes from [session], wherever that
// stands. Method: two rules before the section.
TEST_F(ConfigTest, ReadsShares) {
    const auto problems =
        read("[[share]]\nuser = 1000\nweight = 300\nguarantee = \"64MiB\"\n"
             "[[share]]\nuser = \"root\"\ncgroup = \"/jobs/batch\"\nmax_frames = 16\n"
             "[session]\nweight = 50\nmax_promise = \"1GiB\"\n");
    EXPECT_EQ(problems, std::vector<std::string>{});
    ASSERT_EQ(config_.shares.size(), 2u);
    EXPECT_EQ(config_.shares[0].user, uid_t{1000});
    EXPECT_EQ(config_.shares[0].share.weight, 300u);
    EXPECT_EQ(config_.shares[0].share.guarantee_bytes, 64 * MiB);
    EXPECT_EQ(config_.shares[0].share.max_promise_bytes, GiB);
    EXPECT_EQ(config_.shares[1].user, uid_t{0});
    EXPECT_EQ(config_.shares[1].cgroup, "/jobs/batch");
    EXPECT_EQ(config_.shares[1].share.weight, 50u);
    EXPECT_EQ(config_.shares[1].share.max_frames, 16u);
}

// Goal: all mistakes show at once. Method: three in one file.
TEST_F(ConfigTest, ListsAllMistakes) {
    EXPECT_EQ(read("[device]\nchunk = 3\nframes = 4\n[store]\nspeed = 5\n").size(), 3u);
}

// Goal: a file cannot write lines, or to the terminal, through what is said of it. Method: line
// ends and escapes in a value, a key, a section and outside of TOML.
TEST_F(ConfigTest, AProblemIsOneLineWhateverTheFileHolds) {
    for (const char* text : {"[device]\nbudget = \"6\\nGiB\"\n", "[device]\n\"a\\n\\u001bb\" = 1\n",
                             "\"x\\ny\" = 1\n", "[device]\nbudget = \n\x1b[2J"}) {
        const auto problems = read(text);
        ASSERT_EQ(problems.size(), 1u) << text;
        for (const char letter : problems[0]) EXPECT_GE(letter, ' ') << text;
    }
}

// Goal: a file that is not there is a mistake, not an empty configuration. Method: no file.
TEST_F(ConfigTest, NamesAMissingFile) {
    const auto problems = read_config_file(directory_ + "/none", config_);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_NE(problems[0].find("none: cannot be read (No such file or directory); name a"),
              std::string::npos)
        << problems[0];
}

// Goal: values that are good alone but not together, or not enough, are found. Method: one each.
TEST_F(ConfigTest, ChecksValuesTogether) {
    DaemonConfig good;
    good.budget_bytes = 64 * MiB;
    EXPECT_TRUE(check_config(good).empty());
    const auto expect_one = [](const DaemonConfig& config, const char* start) {
        const auto problems = check_config(config);
        ASSERT_EQ(problems.size(), 1u) << start;
        EXPECT_EQ(problems[0].find(start), 0u) << problems[0];
        EXPECT_NE(problems[0].find("give"), std::string::npos) << problems[0];
    };
    expect_one(DaemonConfig{}, "budget: missing;");
    DaemonConfig bad = good;
    bad.budget_bytes = 15 * MiB;
    expect_one(bad, "budget: 15MiB is less than 8 chunks of 2MiB; give at least 16MiB");
    bad = good;
    bad.store_bytes = 2 * MiB;
    expect_one(bad, "store size: 2MiB holds too little");
    bad = good;
    bad.store_bytes = 2 * limits::store_bytes_max;
    expect_one(bad, "store size: 32TiB is more than 16TiB");
    bad = good;
    bad.session.max_promise_bytes = 1;
    expect_one(bad, "max_promise: 1B is less than a chunk");
    bad = good;
    bad.session.max_frames = 7;
    expect_one(bad, "max_frames: one instruction can need more than 7");
    bad = good;
    bad.shares.push_back({.user = 1, .cgroup = "", .share = {.guarantee_bytes = GiB}});
    expect_one(bad, "share 1: guarantee: 1GiB is more than the budget");
    bad = good;
    bad.user.max_promise_bytes = 1;
    expect_one(bad, "max_promise of a user: 1B is less than a chunk");
}

// Goal: what is left open is filled from the machine, in whole chunks. Method: a budget that is no
// multiple of the chunk; a directory that does not exist.
TEST_F(ConfigTest, FillsInWhatDependsOnTheMachine) {
    DaemonConfig config;
    config.budget_bytes = 33 * MiB;
    config.store_path = directory_;
    const auto complete = with_machine_defaults(config);
    ASSERT_TRUE(complete);
    EXPECT_EQ(complete->budget_bytes, 32 * MiB);
    EXPECT_GE(complete->worker_threads, 1u);
    EXPECT_LE(complete->store_bytes, 16 * 32 * MiB);
    EXPECT_GT(complete->store_bytes, 0u);
    EXPECT_EQ(complete->store_bytes % (2 * MiB), 0u);
    config.store_path = directory_ + "/none";
    EXPECT_EQ(with_machine_defaults(config).error().code, Errc::io);
    config.store_bytes = 64 * MiB;  // given: nothing to look up
    EXPECT_TRUE(with_machine_defaults(config));
}

}  // namespace
}  // namespace ciuic
