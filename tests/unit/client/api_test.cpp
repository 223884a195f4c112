// SPDX-License-Identifier: Apache-2.0
//
// What the C entries check themselves; what they do is for the other tests.
#include "ciuic/vmm.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace ciuic {
namespace {

// Goal: a program built for a later ABI is told when it asks for what this library lacks, and not
// otherwise. Method: a longer structure, its tail zero and not.
TEST(Api, AcceptsLongerStructuresOfZeros) {
    struct Later {
        ciuic_options now{};
        uint64_t added = 0;
    } later;
    later.now.struct_size = sizeof later;
    later.now.mode = 3;
    vmm::Session session;
    EXPECT_EQ(session.open(&later.now), CIUIC_E_INVALID);
    EXPECT_NE(std::strstr(ciuic_last_error_text(), "mode"), nullptr) << ciuic_last_error_text();
    later.added = 1;
    EXPECT_EQ(session.open(&later.now), CIUIC_E_INVALID);
    EXPECT_NE(std::strstr(ciuic_last_error_text(), "later ABI"), nullptr);
}

// Goal: NULL is what the header says it is: nothing to do where something ends, an error elsewhere.
// Method: every entry with it.
TEST(Api, TakesNullAsDocumented) {
    const ciuic_range range{};
    ciuic_statistics statistics{};
    ciuic_region* region = nullptr;
    void* memory = nullptr;
    EXPECT_EQ(ciuic_open(nullptr, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_close(nullptr), CIUIC_OK);
    EXPECT_EQ(ciuic_region_create(nullptr, nullptr, &region), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_region_create(nullptr, nullptr, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_region_destroy(nullptr), CIUIC_OK);
    EXPECT_EQ(ciuic_region_address(nullptr), nullptr);
    EXPECT_EQ(ciuic_region_size(nullptr), 0u);
    EXPECT_EQ(ciuic_region_resize(nullptr, 1), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_acquire(nullptr, &range, 1, CIUIC_READ, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_release(nullptr, &range, 1, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_prefetch(nullptr, &range, 1, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_advise(nullptr, &range, 1, CIUIC_ADVICE_COLD), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_alloc(nullptr, 1, &memory), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_alloc(nullptr, 1, nullptr), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_free(nullptr, nullptr), CIUIC_OK);
    EXPECT_EQ(ciuic_free(nullptr, &memory), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_alloc_resize(nullptr, &memory, 1), CIUIC_E_INVALID);
    EXPECT_EQ(ciuic_owns(nullptr, &memory), 0);
    EXPECT_EQ(ciuic_usable_size(nullptr, &memory), 0u);
    EXPECT_EQ(ciuic_stats(nullptr, &statistics), CIUIC_E_INVALID);
}

}  // namespace
}  // namespace ciuic
