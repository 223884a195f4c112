// SPDX-License-Identifier: Apache-2.0
#include "daemon/recorder.hpp"

#include "tests/unit/trace/scratch_trace.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

namespace ciuic {
namespace {

using trace::Use;
using trace::test::Content;
using trace::test::ScratchFile;

class RecorderTest : public testing::Test {
protected:
    std::unique_ptr<Recorder> recorder(const std::string& path, uint32_t ring_entries = 64) {
        auto made = Recorder::create({.path = path,
                                      .chunk_bytes = 64 * KiB,
                                      .sessions_max = 4,
                                      .began = Nanos{1000},
                                      .ring_entries = ring_entries});
        EXPECT_TRUE(made);
        return made ? *std::move(made) : nullptr;
    }
    void use(Recorder& recorder, uint32_t session, uint32_t chunk) {
        recorder.used({SessionIndex{session}, ChunkIndex{chunk}}, chunk % 2 == 1, Nanos{++time_});
    }
    Content content() {
        trace::Reader reader;
        auto read = trace::test::read_all(reader, file_.path());
        EXPECT_TRUE(read) << reader.describe(read.error());
        return read ? *read : Content{};
    }

    ScratchFile file_{"recorded"};
    int64_t time_ = 1000;
};

// Goal: what the engine tells is in the file, in its order; a session's place that is taken again
// is another session. Method: two sessions of one index.
TEST_F(RecorderTest, WritesWhatItIsTold) {
    auto recorder = this->recorder(file_.path());
    ASSERT_TRUE(recorder->start());
    recorder->opened(SessionIndex{2}, 50);
    recorder->promised(SessionIndex{2}, ChunkIndex{10}, 5);
    use(*recorder, 2, 11);
    use(*recorder, 2, 14);
    recorder->opened(SessionIndex{2}, 50);
    use(*recorder, 2, 11);
    recorder->finish();
    EXPECT_EQ(recorder->counts().uses, 3u);
    EXPECT_EQ(recorder->counts().lost, 0u);
    EXPECT_FALSE(recorder->counts().failed);
    const Content found = content();
    EXPECT_EQ(found.chunk_bytes, 64 * KiB);
    EXPECT_EQ(
        found.uses,
        (std::vector<Use>{{1, 0, 0, 1, 1, true}, {2, 0, 0, 4, 1, false}, {3, 1, 1, 11, 1, true}}));
}

// Goal: a full ring is not waited for, and the trace says what it lacks and where. Method: nobody
// takes anything out, until the end.
TEST_F(RecorderTest, CountsWhatDoesNotFit) {
    auto recorder = this->recorder(file_.path(), 4);
    recorder->opened(SessionIndex{0}, 50);
    for (uint32_t chunk = 0; chunk < 7; ++chunk) use(*recorder, 0, chunk);
    EXPECT_EQ(recorder->counts().lost, 3u);
    recorder->finish();
    EXPECT_EQ(recorder->counts().uses, 4u);
    const Content found = content();
    EXPECT_EQ(found.uses.size(), 4u);
    EXPECT_EQ(found.phases, (std::vector<std::pair<size_t, std::string>>{
                                {4, "3 uses lost here"}, {4, "3 uses lost in all"}}));
}

// Goal: what comes after a loss is in the trace, behind the word of it. Method: a thread that
// starts late; uses until one has found room.
TEST_F(RecorderTest, GoesOnAfterALoss) {
    auto recorder = this->recorder(file_.path(), 4);
    recorder->opened(SessionIndex{0}, 50);
    for (uint32_t chunk = 0; chunk < 6; ++chunk) use(*recorder, 0, chunk);
    ASSERT_TRUE(recorder->start());
    uint64_t tries = 0;
    for (uint64_t lost = 0; recorder->counts().lost > lost || tries == 0; ++tries) {
        lost = recorder->counts().lost;
        use(*recorder, 0, tries % 2 == 0 ? 40 : 41);
    }
    recorder->finish();
    const Content found = content();
    const uint64_t lost = recorder->counts().lost;
    ASSERT_EQ(found.uses.size(), 5u);
    EXPECT_GE(found.uses.back().chunk, 40u);
    EXPECT_EQ(lost, 2 + tries - 1);
    ASSERT_EQ(found.phases.size(), 2u);
    EXPECT_EQ(found.phases[0],
              (std::pair<size_t, std::string>{4, std::to_string(lost) + " uses lost here"}));
}

// Files may have so many bytes while it lives; as many as that, and writes fail.
class FileLimit {
public:
    explicit FileLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit less{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &less);
    }
    ~FileLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

// Goal: a file that can take no more ends the recording and nothing else, with one line. Method: a
// limit that the header (and the log) fits in, and the uses do not.
TEST_F(RecorderTest, SaysThatAFileIsFull) {
    auto recorder = this->recorder(file_.path(), 1024);
    recorder->opened(SessionIndex{0}, 1000);
    for (uint32_t number = 0; number < 500; ++number) {
        time_ += number * 7919 % 1000;
        use(*recorder, 0, number * 377 % 1000);
    }
    testing::internal::CaptureStderr();
    {
        const FileLimit limit(1000);
        recorder->finish();
        recorder->finish();
    }
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(recorder->counts().failed);
    EXPECT_NE(said.find(file_.path()), std::string::npos) << said;
    EXPECT_NE(said.find("File too large"), std::string::npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_FALSE(std::filesystem::exists(file_.path()));
}

// Goal: a file that cannot be made is refused, and one that was not finished is gone. Method: a
// missing directory; a recorder that is destroyed.
TEST_F(RecorderTest, LeavesNoHalfAFile) {
    const auto refused = Recorder::create({.path = "/nonexistent/t", .chunk_bytes = 64 * KiB});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().os_error, ENOENT);
    auto recorder = this->recorder(file_.path());
    ASSERT_TRUE(recorder->start());
    EXPECT_TRUE(std::filesystem::exists(file_.path()));
    recorder.reset();
    EXPECT_FALSE(std::filesystem::exists(file_.path()));
}

}  // namespace
}  // namespace ciuic
