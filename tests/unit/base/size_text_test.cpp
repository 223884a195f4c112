// SPDX-License-Identifier: Apache-2.0
#include "base/size_text.hpp"

#include "base/units.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace ciuic {
namespace {

// Goal: what people write means what they think. Method: a table of texts and their bytes.
TEST(SizeText, ReadsWhatPeopleWrite) {
    const struct {
        const char* text;
        uint64_t size_bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"512B", 512},
        {"1KiB", KiB},
        {"256MiB", 256 * MiB},
        {"6GiB", 6 * GiB},
        {"6G", 6 * GiB},
        {"1.5GiB", GiB + GiB / 2},
        {"0.1KiB", 102},
        {"2.000000001TiB", 2 * 1024 * GiB + 1099},
        {"9223372036854775807", INT64_MAX},
    };
    for (const auto& entry : cases) {
        SCOPED_TRACE(entry.text);
        const Result<uint64_t> size = parse_size(entry.text);
        ASSERT_TRUE(size.has_value());
        EXPECT_EQ(*size, entry.size_bytes);
    }
}

// Goal: nothing doubtful is read as a number. Method: texts with one fault each.
TEST(SizeText, RefusesWhatIsDoubtful) {
    for (const char* text : {"",
                             "GiB",
                             "-1",
                             "+1",
                             " 1",
                             "1 ",
                             "1 GiB",
                             "1.GiB",
                             ".5GiB",
                             "1.5",
                             "1,5GiB",
                             "6GB",
                             "6MB",
                             "6gib",
                             "1e3",
                             "0x10",
                             "1GiBB",
                             "9223372036854775808",
                             "99999999999999999999",
                             "8388608TiB",
                             "1.1234567890GiB"}) {
        SCOPED_TRACE(text);
        const Result<uint64_t> size = parse_size(text);
        ASSERT_FALSE(size.has_value());
        EXPECT_EQ(size.error().code, Errc::invalid);
        EXPECT_GT(std::strlen(size.error().what), 10u);
    }
}

// Goal: what is printed is short and can be read back. Method: sizes at the units' borders.
TEST(SizeText, PrintsShortAndReadable) {
    EXPECT_STREQ(format_size(0).data(), "0B");
    EXPECT_STREQ(format_size(1023).data(), "1023B");
    EXPECT_STREQ(format_size(1024).data(), "1KiB");
    EXPECT_STREQ(format_size(GiB + GiB / 2).data(), "1.5GiB");
    EXPECT_STREQ(format_size(GiB + GiB / 4).data(), "1.25GiB");
    EXPECT_STREQ(format_size(GiB + GiB / 20).data(), "1.05GiB");
    EXPECT_STREQ(format_size(2 * GiB - 1).data(), "2GiB");
    EXPECT_STREQ(format_size(2048 * GiB).data(), "2TiB");
    for (const uint64_t size_bytes : {uint64_t{1}, 4096 * KiB, 3 * GiB / 2, 5 * MiB / 4}) {
        const auto text = format_size(size_bytes);
        EXPECT_EQ(*parse_size(text.data()), size_bytes) << text.data();
    }
}

}  // namespace
}  // namespace ciuic
