// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.hpp"

#include "tests/unit/trace/scratch_trace.hpp"
#include "trace/encoding.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

namespace ciuic::trace::test {
namespace {

Content small_content() {
    Content content;
    content.chunk_bytes = 2 * MiB;
    content.regions = {{"weights", 40}, {"kv", 8}};
    content.phases = {{0, "prefill"}, {6, "decode"}};
    for (uint32_t at = 0; at < 12; ++at)
        content.uses.push_back(
            {at * uint64_t{700}, at / 6, at % 3 / 2, (at * 5) % 8, 1, at % 4 == 3});
    content.uses.push_back({10'000, 1, 0, 3, 37, false});
    return content;
}

std::string small_file() {
    const ScratchFile file("small");
    EXPECT_TRUE(write_all(small_content(), file.path()).has_value());
    return file.bytes();
}

void expect_one_clear_line(const std::string& line, const std::string& path) {
    EXPECT_EQ(line.rfind(path, 0), 0u) << line;
    EXPECT_NE(line.find("byte "), std::string::npos) << line;
    EXPECT_NE(line.find("; "), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

// Goal: a damaged file is never taken for another trace. Method: every bit of a small file flipped
// in turn, and every length that it can be cut to: an error in one line, or what was written.
TEST(TraceReader, NoDamagePassesForAnotherTrace) {
    const std::string good = small_file();
    const Content content = small_content();
    const ScratchFile file("damaged");
    size_t refused = 0;
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
        SCOPED_TRACE("bit " + std::to_string(bit));
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        file.set_bytes(bad);
        Reader reader;
        const Result<Content> read = read_all(reader, file.path());
        if (read.has_value()) {
            EXPECT_TRUE(*read == content);
        } else {
            ++refused;
            expect_one_clear_line(reader.describe(read.error()), file.path());
        }
    }
    EXPECT_GT(refused, good.size() * 8 - 8);  // some bits of a frame's header mean nothing
    for (size_t size = 0; size < good.size(); ++size) {
        SCOPED_TRACE("cut to " + std::to_string(size));
        file.set_bytes(good.substr(0, size));
        Reader reader;
        const Result<Content> read = read_all(reader, file.path());
        ASSERT_FALSE(read.has_value());
        expect_one_clear_line(reader.describe(read.error()), file.path());
    }
    file.set_bytes(good + "x");
    Reader reader;
    EXPECT_EQ(read_all(reader, file.path()).error().code, Errc::data_lost);
}

// A file whose frame and checksums are right, and whose records are these bytes.
void pack(const ScratchFile& file, const std::vector<uint8_t>& records) {
    std::string frame(ZSTD_compressBound(records.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), records.data(), records.size(), 1));
    file.set_bytes(small_file().substr(0, header_bytes) + frame);
}

struct Forged {
    const char* what;
    std::vector<uint8_t> records;
    Errc code;
};

constexpr uint8_t endless = 0xff;

// Goal: numbers are checked before they are used. Method: files that are whole, and whose records
// lie.
TEST(TraceReader, RefusesRecordsThatLie) {
    const std::vector<uint8_t> region = {1, 0, 10, 0};  // number 0, ten chunks, no name
    const auto with = [&](std::vector<uint8_t> rest) {
        rest.insert(rest.begin(), region.begin(), region.end());
        return rest;
    };
    const std::vector<uint8_t> long_number(11, endless);
    const ScratchFile file("forged");
    const Forged all[] = {
        {"right", with({3 | 8, 0, 0, 0, 18, 0, 1}), Errc::ok},
        {"nothing", {}, Errc::data_lost},
        {"no end", region, Errc::data_lost},
        {"more behind the end", with({0, 0, 0, 0}), Errc::data_lost},
        {"another count", with({3 | 8, 0, 0, 0, 18, 0, 2}), Errc::data_lost},
        {"an unknown flag", with({3 | 32, 0, 0, 0, 18, 0, 1}), Errc::data_lost},
        {"a flag of a region", {1 | 4, 0, 10, 0, 0, 0}, Errc::data_lost},
        {"a region out of turn", {1, 1, 10, 0, 0, 0}, Errc::data_lost},
        {"no chunks", {1, 0, 0, 0, 0, 0}, Errc::data_lost},
        {"2^27 chunks", {1, 0, 0x80, 0x80, 0x80, 0x40, 0, 0, 0}, Errc::range},
        {"a name that is longer than all", {1, 0, 10, 200, 1, 0, 0}, Errc::data_lost},
        {"a name that rings", {1, 0, 10, 1, 7, 0, 0}, Errc::data_lost},
        {"a use without a place", with({3, 0, 0, 0, 1}), Errc::data_lost},
        {"no such region", with({3 | 8, 0, 0, 1, 0, 0, 1}), Errc::data_lost},
        {"before the region", with({3 | 8, 0, 0, 0, 1, 0, 1}), Errc::data_lost},
        {"behind the region", with({3 | 8, 0, 0, 0, 20, 0, 1}), Errc::data_lost},
        {"a run over the end", with({3 | 8 | 16, 0, 0, 0, 18, 2, 0, 2}), Errc::data_lost},
        {"a run of none", with({3 | 8 | 16, 0, 0, 0, 18, 0, 0, 0}), Errc::data_lost},
        {"a thread too many", with({3 | 8, 0, 0x80, 0x80, 4, 0, 0, 0, 1}), Errc::range},
        {"a number without end", long_number, Errc::data_lost},
        {"a step without end",
         with({3 | 8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 1}),
         Errc::data_lost},
        {"the smallest step",
         with({3 | 8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 1}),
         Errc::data_lost},
        {"times that wrap",
         with({3 | 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 3, 1, 0, 0, 2}),
         Errc::data_lost},
    };
    for (const Forged& forged : all) {
        SCOPED_TRACE(forged.what);
        pack(file, forged.records);
        Reader reader;
        const Result<Content> read = read_all(reader, file.path());
        EXPECT_EQ(read.has_value() ? Errc::ok : read.error().code, forged.code);
        if (!read.has_value()) expect_one_clear_line(reader.describe(read.error()), file.path());
    }
}

// Goal: a small file that unpacks to very much ends in bounded time. Method: runs of the longest
// kind until more uses are told than a trace may have.
TEST(TraceReader, EndsWhereAFileTellsOfTooManyUses) {
    std::vector<uint8_t> records = {1, 0, 0x80, 0x80, 0x80, 0x20, 0};  // 2^26 chunks
    const std::vector<uint8_t> all = {3 | 8 | 16, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x20};
    const std::vector<uint8_t> back = {3 | 16, 0, 0xff, 0xff, 0xff, 0x3f, 0x80, 0x80, 0x80, 0x20};
    records.insert(records.end(), all.begin(), all.end());
    for (int run = 0; run < 100'000; ++run) records.insert(records.end(), back.begin(), back.end());
    const ScratchFile file("bomb");
    pack(file, records);
    Reader reader;
    EXPECT_EQ(read_all(reader, file.path()).error().code, Errc::range);
}

// Goal: what is no trace is told apart from what is a damaged one, and from none at all.
TEST(TraceReader, SaysWhatAFileIsNot) {
    const ScratchFile file("foreign");
    const auto line_of = [&](const std::string& bytes) {
        file.set_bytes(bytes);
        Reader reader;
        const Status opened = reader.open(file.path());
        return opened.has_value() ? "" : reader.describe(opened.error()).substr(file.path().size());
    };
    EXPECT_EQ(line_of("128166372003061629,hm,1,Read,1,2,3\n"),
              ": byte 0: not a trace of Ciuic; `ciuic trace convert` reads other formats");
    EXPECT_EQ(line_of(""),
              ": byte 0: not a trace of Ciuic; `ciuic trace convert` reads other formats");
    std::string other = small_file();
    other[version_offset] = 9;
    EXPECT_EQ(line_of(other),
              ": byte 8: a trace of another version; make it again with this version");
    Reader reader;
    const Status opened = reader.open("/nowhere/at/all");
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(reader.describe(opened.error()),
              "/nowhere/at/all: it cannot be opened (No such file "
              "or directory); see that it is there and may be read");
}

TEST(TraceReader, CountsChunksOverAllRegions) {
    const ScratchFile file;
    ASSERT_TRUE(write_all(small_content(), file.path()).has_value());
    Reader reader;
    ASSERT_TRUE(reader.open(file.path()).has_value());
    for (;;) {
        const Result<Found> found = reader.next();
        ASSERT_TRUE(found.has_value());
        if (*found == Found::end) break;
        if (*found == Found::use && reader.use().region == 1) {
            EXPECT_EQ(reader.first_chunk(), 40 + reader.use().chunk);
        }
    }
    EXPECT_EQ(reader.chunks(), 48u);
    EXPECT_EQ(*reader.next(), Found::end);
}

}  // namespace
}  // namespace ciuic::trace::test
