// SPDX-License-Identifier: Apache-2.0
//
// Uses the parts of a block of memory in the order that its arguments say: the block's bytes, a
// part's bytes, then a part's number for each use, with a w behind it where it is written.
#include "require.h"

int main(int argc, char** argv) {
    REQUIRE(argc > 3);
    const size_t block_bytes = strtoull(argv[1], NULL, 10);
    const size_t part_bytes = strtoull(argv[2], NULL, 10);
    volatile char* block = aligned_alloc(part_bytes, block_bytes);
    REQUIRE(block);
    for (int index = 3; index < argc; ++index) {
        char* rest = NULL;
        const size_t at = strtoull(argv[index], &rest, 10) * part_bytes + 100;
        REQUIRE(at < block_bytes);
        if (*rest == 'w')
            block[at] = (char)index;
        else
            (void)block[at];
    }
    free((void*)block);
    puts("ok");
    return 0;
}
