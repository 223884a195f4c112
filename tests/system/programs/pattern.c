// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program with more data than memory: fills it, then reads and rewrites it forwards,
// backwards and at random, checking every byte it reads.
//
// usage: program_pattern MIB PASSES [THREADS [once-filled: a file to create, then to wait in]]
#include "require.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#define BLOCK (64 * 1024)

struct part {
    char* memory;
    size_t bytes;
    uint64_t seed;
    int passes;
};

// Visits the blocks in the pass's order; each is checked and then written anew.
static void pass_over(struct part* part, int pass, uint64_t* seeds) {
    const size_t blocks = part->bytes / BLOCK;
    uint64_t random = part->seed + pass;
    for (size_t step = 0; step < blocks; ++step) {
        size_t block = step;
        if (pass % 3 == 1) block = blocks - 1 - step;
        if (pass % 3 == 2) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            block = (random >> 33) % blocks;
            if (step > blocks / 8) break;  // lone touches are what paging is worst at
        }
        char* memory = part->memory + block * BLOCK;
        REQUIRE(is_stamped(memory, 0, BLOCK, seeds[block]));
        if ((block + pass) % 2) continue;  // some stay clean
        seeds[block] += 1000003;
        stamp(memory, 0, BLOCK, seeds[block]);
    }
}

static void* work(void* argument) {
    struct part* part = argument;
    const size_t blocks = part->bytes / BLOCK;
    uint64_t* seeds = malloc(blocks * sizeof *seeds);
    for (size_t block = 0; block < blocks; ++block) {
        seeds[block] = part->seed ^ (block * 0x2545f4914f6cdd1dull);
        stamp(part->memory + block * BLOCK, 0, BLOCK, seeds[block]);
    }
    for (int pass = 0; pass < part->passes; ++pass) pass_over(part, pass, seeds);
    free(seeds);
    return NULL;
}

int main(int count, char** arguments) {
    REQUIRE(count >= 3);
    const size_t bytes = (size_t)atol(arguments[1]) * MIB;
    const int threads = count > 3 ? atoi(arguments[3]) : 1;
    REQUIRE(threads >= 1 && threads <= 16);
    char* memory = malloc(bytes);
    REQUIRE(memory);
    struct part parts[16];
    pthread_t ids[16];
    for (int index = 0; index < threads; ++index) {
        const size_t each = bytes / threads / BLOCK * BLOCK;
        parts[index] = (struct part){memory + index * each, each, 17 + index, atoi(arguments[2])};
        REQUIRE(pthread_create(&ids[index], NULL, work, &parts[index]) == 0);
    }
    for (int index = 0; index < threads; ++index) REQUIRE(pthread_join(ids[index], NULL) == 0);
    if (count > 4) {
        REQUIRE(open(arguments[4], O_CREAT | O_WRONLY, 0600) >= 0);
        pause();
    }
    free(memory);
    puts("ok");
    return 0;
}
