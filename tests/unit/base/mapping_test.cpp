// SPDX-License-Identifier: Apache-2.0
#include "base/mapping.hpp"

#include "base/unique_fd.hpp"
#include "base/units.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace ciuic {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;
constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

bool is_mapped(const void* address) {
    unsigned char resident = 0;
    return ::mincore(const_cast<void*>(address), 4 * KiB, &resident) == 0;
}

// The first number of /proc/self/statm: the size of this address space.
uint64_t address_space_pages() {
    const UniqueFd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    char text[128]{};
    EXPECT_GT(::read(file.get(), text, sizeof text - 1), 0);
    return std::strtoull(text, nullptr, 10);
}

// Goal: an aligned range and nothing beside it, although more was reserved on the way. Method:
// sizes below, at and above the alignment; the address space grows by exactly the range.
TEST(Mapping, AlignedRangeLeavesNothingBesideIt) {
    for (const uint64_t size_bytes : {4 * KiB, 2 * MiB, 6 * MiB + 4 * KiB}) {
        const uint64_t before = address_space_pages();
        const auto mapping = Mapping::create_aligned(size_bytes, 2 * MiB, read_write, anonymous);
        EXPECT_EQ(address_space_pages() - before, size_bytes / (4 * KiB));
        ASSERT_TRUE(mapping.has_value());
        EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % (2 * MiB), 0u);
        EXPECT_EQ(mapping->size_bytes(), size_bytes);
        mapping->data()[0] = std::byte{1};
        mapping->data()[size_bytes - 1] = std::byte{1};
    }
}

// Goal: one owner, unmapped exactly once. Method: follow a range through moves, release and reset.
TEST(Mapping, UnmapsExactlyWhatItOwns) {
    auto first = Mapping::create(4 * KiB, read_write, anonymous);
    ASSERT_TRUE(first.has_value());
    std::byte* const address = first->data();
    Mapping second(std::move(*first));
    EXPECT_FALSE(*first);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
    EXPECT_EQ(second.data(), address);
    Mapping& same = second;
    second = std::move(same);
    EXPECT_TRUE(is_mapped(address));
    EXPECT_EQ(second.release(), address);
    second.reset();
    EXPECT_TRUE(is_mapped(address));
    { const Mapping last = Mapping::adopt(address, 4 * KiB); }
    EXPECT_FALSE(is_mapped(address));
}

// Goal: a refusal is returned, with its reason, and costs nothing. Method: a bad descriptor, whose
// aligned form has reserved space by the time it is refused.
TEST(Mapping, ReturnsRefusals) {
    const uint64_t before = address_space_pages();
    const auto refused = Mapping::create(4 * KiB, PROT_READ, MAP_SHARED, -1);
    const auto aligned = Mapping::create_aligned(4 * KiB, 2 * MiB, PROT_READ, MAP_SHARED);
    EXPECT_EQ(address_space_pages(), before);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().os_error, EBADF);
    ASSERT_FALSE(aligned.has_value());
    EXPECT_EQ(aligned.error().os_error, EBADF);
}

}  // namespace
}  // namespace ciuic
