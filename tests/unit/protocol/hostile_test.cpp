// SPDX-License-Identifier: Apache-2.0
#include "protocol/hostile.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace ciuic {
namespace {

struct Record {
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    bool operator==(const Record&) const = default;
};

// Goal: what is put is what is fetched, for one word and for several. Method: values that differ
// in every word.
TEST(Hostile, FetchesWhatWasPut) {
    Hostile<Record> record;
    EXPECT_EQ(record.fetch(), Record{});
    record.put({1, 2, 3});
    EXPECT_EQ(record.fetch(), (Record{1, 2, 3}));
    Hostile<uint64_t> number;
    number.put(0x123456789abcdef0u);
    EXPECT_EQ(number.fetch(), 0x123456789abcdef0u);
    number.add(0x10);
    EXPECT_EQ(number.fetch(), 0x123456789abcdf00u);
}

// Goal: a fetched copy does not change when the memory does. Method: a thread that changes the
// memory all the time; each copy is compared with itself twice, and words are never torn.
TEST(Hostile, ACopyIsPrivate) {
    Hostile<Record> record;
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        for (uint32_t round = 0; !stop.load(); ++round) {
            const uint32_t value = (round & 0xffu) * 0x01010101u;
            record.put({value, value, value});
        }
    });
    for (int round = 0; round < 100'000; ++round) {
        const Record copy = record.fetch();
        const Record again = copy;
        for (const uint32_t word : {copy.a, copy.b, copy.c})
            ASSERT_EQ(word, (word & 0xffu) * 0x01010101u);
        ASSERT_EQ(copy, again);
    }
    stop.store(true);
    writer.join();
}

}  // namespace
}  // namespace ciuic
