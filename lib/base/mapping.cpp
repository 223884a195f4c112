// SPDX-License-Identifier: Apache-2.0
#include "base/mapping.hpp"

#include "base/units.hpp"

namespace ciuic {

// Reserves enough inaccessible space to hold an aligned range, maps over that range and gives the
// two ends back.
Result<Mapping> Mapping::create_aligned(size_t size_bytes, size_t alignment_bytes, int protection,
                                        int flags, int fd) {
    const size_t reserved_bytes = size_bytes + alignment_bytes;
    void* reserved = ::mmap(nullptr, reserved_bytes, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return os_refusal("mmap (reserve address space)", errno);

    const auto begin = reinterpret_cast<uintptr_t>(reserved);
    const uintptr_t aligned = round_up(begin, alignment_bytes);
    void* data =
        ::mmap(reinterpret_cast<void*>(aligned), size_bytes, protection, flags | MAP_FIXED, fd, 0);
    if (data == MAP_FAILED) {
        const int refused = errno;
        ::munmap(reserved, reserved_bytes);
        return os_refusal("mmap", refused);
    }
    if (aligned > begin) ::munmap(reserved, aligned - begin);
    const uintptr_t end = aligned + size_bytes;
    if (begin + reserved_bytes > end)
        ::munmap(reinterpret_cast<void*>(end), begin + reserved_bytes - end);
    return adopt(data, size_bytes);
}

}  // namespace ciuic
