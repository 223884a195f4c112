// SPDX-License-Identifier: Apache-2.0
//
// For programs that check what they were given: the first thing that is wrong ends them, loudly.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__, #condition,    \
                    errno);                                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define MIB ((size_t)1 << 20)

// Every eight bytes tell their place, so that bytes from elsewhere are noticed.
static inline uint64_t stamp_of(size_t place, uint64_t seed) {
    uint64_t mixed = (place + 1) * 0x9e3779b97f4a7c15ull + seed;
    return mixed ^ (mixed >> 29);
}

// From byte `from` to byte `to`, both multiples of 8; a place is where the bytes are in the whole.
static inline void stamp(void* memory, size_t from, size_t to, uint64_t seed) {
    uint64_t* words = (uint64_t*)memory;
    for (size_t word = from / 8; word < to / 8; ++word) words[word] = stamp_of(word, seed);
}

static inline int is_stamped(const void* memory, size_t from, size_t to, uint64_t seed) {
    const uint64_t* words = (const uint64_t*)memory;
    for (size_t word = from / 8; word < to / 8; ++word)
        if (words[word] != stamp_of(word, seed)) return 0;
    return 1;
}

static inline int is_zero(const void* memory, size_t from, size_t to) {
    const uint64_t* words = (const uint64_t*)memory;
    for (size_t word = from / 8; word < to / 8; ++word)
        if (words[word] != 0) return 0;
    return 1;
}
