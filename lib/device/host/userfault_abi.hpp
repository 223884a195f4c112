// SPDX-License-Identifier: Apache-2.0
//
// The part of the kernel's paging interface that the headers of older distributions lack: each
// name, number and layout as in linux/userfaultfd.h and linux/fs.h of the kernel that brought it.
#pragma once

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

// linux/userfaultfd.h, 6.1
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

// linux/userfaultfd.h, 6.4
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif

// linux/userfaultfd.h, 6.6
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif

// linux/userfaultfd.h, 6.8
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif
#ifndef UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES
#define UFFDIO_MOVE_MODE_DONTWAKE ((__u64)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((__u64)1 << 1)
#endif

namespace ciuic::abi {

struct UffdioPoison {  // struct uffdio_poison
    uffdio_range range;
    uint64_t mode;
    int64_t updated;
};
static_assert(sizeof(UffdioPoison) == 32);

struct UffdioMove {  // struct uffdio_move
    uint64_t dst;
    uint64_t src;
    uint64_t len;
    uint64_t mode;
    int64_t move;
};
static_assert(sizeof(UffdioMove) == 40);

inline constexpr unsigned long uffdio_poison = _IOWR(0xAA, 0x08, UffdioPoison);
inline constexpr unsigned long uffdio_move = _IOWR(0xAA, 0x05, UffdioMove);

// linux/fs.h, 6.7: PAGEMAP_SCAN, the pages of a range by category.
struct PageRegion {  // struct page_region
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct PagemapScan {  // struct pm_scan_arg
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};
static_assert(sizeof(PagemapScan) == 96);

inline constexpr unsigned long pagemap_scan = _IOWR('f', 16, PagemapScan);
inline constexpr uint64_t page_is_present = 1 << 3;
inline constexpr uint64_t page_is_swapped = 1 << 4;

}  // namespace ciuic::abi
