// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program that maps anonymous memory and gives it back in every way that POSIX and
// Linux allow, and checks what it reads. It prints "ok".
#include "require.h"

#include <sys/mman.h>
#include <unistd.h>

static char* map_private(size_t bytes) {
    char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    return memory;
}

static void test_whole(void) {
    for (int round = 0; round < 30; ++round) {
        char* memory = map_private(9 * MIB + 4096);
        REQUIRE(is_zero(memory, 0, 9 * MIB + 4096));
        stamp(memory, 0, 9 * MIB + 4096, round);
        REQUIRE(is_stamped(memory, 0, 9 * MIB + 4096, round));
        REQUIRE(munmap(memory, 9 * MIB + 4096) == 0);
    }
}

// Aligns by mapping too much and cutting both ends off, as allocators do.
static void test_cut_ends(void) {
    for (int round = 0; round < 30; ++round) {
        char* memory = map_private(12 * MIB - 4096);
        char* aligned = (char*)(((uintptr_t)memory + 4 * MIB - 1) & ~(4 * MIB - 1));
        const size_t before = aligned - memory;
        if (before) REQUIRE(munmap(memory, before) == 0);
        REQUIRE(munmap(aligned + 4 * MIB, 8 * MIB - 4096 - before) == 0);
        stamp(aligned, 0, 4 * MIB, round);
        REQUIRE(is_stamped(aligned, 0, 4 * MIB, round));
        REQUIRE(munmap(aligned, 4 * MIB) == 0);
    }
}

// Gives a mapping back piece by piece, the middle first; what is left keeps its bytes.
static void test_pieces(void) {
    for (int round = 0; round < 30; ++round) {
        char* memory = map_private(16 * MIB);
        stamp(memory, 0, 16 * MIB, round);
        REQUIRE(munmap(memory + 5 * MIB, 6 * MIB) == 0);
        REQUIRE(is_stamped(memory, 0, 5 * MIB, round));
        REQUIRE(is_stamped(memory, 11 * MIB, 16 * MIB, round));
        REQUIRE(munmap(memory + 5 * MIB, 6 * MIB) == 0);  // twice is allowed
        REQUIRE(munmap(memory + 13 * MIB, 3 * MIB) == 0);
        REQUIRE(is_stamped(memory, 11 * MIB, 13 * MIB, round));
        REQUIRE(munmap(memory, 5 * MIB) == 0);
        REQUIRE(is_stamped(memory, 11 * MIB, 13 * MIB, round));
        REQUIRE(munmap(memory + 11 * MIB, 2 * MIB) == 0);
    }
}

static void test_advice(void) {
    char* memory = map_private(16 * MIB);
    stamp(memory, 0, 16 * MIB, 1);
    REQUIRE(madvise(memory, 16 * MIB, MADV_HUGEPAGE) == 0);
    REQUIRE(madvise(memory, 16 * MIB, MADV_WILLNEED) == 0);
    REQUIRE(is_stamped(memory, 0, 16 * MIB, 1));
    // From the middle of one chunk to the middle of another.
    REQUIRE(madvise(memory + 3 * MIB, 6 * MIB + 8192, MADV_DONTNEED) == 0);
    REQUIRE(is_stamped(memory, 0, 3 * MIB, 1));
    REQUIRE(is_zero(memory, 3 * MIB, 9 * MIB + 8192));
    REQUIRE(is_stamped(memory, 9 * MIB + 8192, 16 * MIB, 1));
    REQUIRE(madvise(memory + 12 * MIB, 8192, MADV_DONTNEED) == 0);
    REQUIRE(is_zero(memory, 12 * MIB, 12 * MIB + 8192));
    REQUIRE(is_stamped(memory, 12 * MIB + 8192, 16 * MIB, 1));
    REQUIRE(madvise(memory, 16 * MIB, MADV_DONTNEED) == 0);
    REQUIRE(is_zero(memory, 0, 16 * MIB));
    REQUIRE(madvise(memory + 1, 4096, MADV_DONTNEED) == -1 && errno == EINVAL);
    REQUIRE(munmap(memory, 16 * MIB) == 0);
}

static void test_remap(void) {
    char* memory = map_private(5 * MIB);
    stamp(memory, 0, 5 * MIB, 9);
    size_t bytes = 5 * MIB;
    for (size_t next = 6 * MIB; next < 60 * MIB; next += next / 2 / 4096 * 4096) {
        memory = mremap(memory, bytes, next, MREMAP_MAYMOVE);
        REQUIRE(memory != MAP_FAILED);
        REQUIRE(is_stamped(memory, 0, bytes, 9) && is_zero(memory, bytes, next));
        stamp(memory, 0, next, 9);
        bytes = next;
    }
    REQUIRE(mremap(memory, bytes, 3 * MIB + 4096, 0) == memory);
    REQUIRE(is_stamped(memory, 0, 3 * MIB + 4096, 9));
    // What was cut off is gone when the mapping grows again.
    memory = mremap(memory, 3 * MIB + 4096, 8 * MIB, MREMAP_MAYMOVE);
    REQUIRE(memory != MAP_FAILED && is_stamped(memory, 0, 3 * MIB + 4096, 9));
    REQUIRE(is_zero(memory, 3 * MIB + 4096, 8 * MIB));
    // From the middle: only that part moves.
    char* moved = mremap(memory + 2 * MIB, MIB, 6 * MIB, MREMAP_MAYMOVE);
    REQUIRE(moved != MAP_FAILED && moved != memory + 2 * MIB);
    REQUIRE(is_stamped(memory, 0, 2 * MIB, 9) && is_zero(moved, MIB, 6 * MIB));
    REQUIRE(memcmp(moved, memory, 8) != 0 && *(uint64_t*)moved == stamp_of(2 * MIB / 8, 9));
    REQUIRE(munmap(moved, 6 * MIB) == 0 && munmap(memory, 8 * MIB) == 0);
}

static void test_protection(void) {
    for (int round = 0; round < 20; ++round) {
        char* memory = map_private(8 * MIB);
        stamp(memory, 0, 8 * MIB, 2);
        REQUIRE(mprotect(memory, 8 * MIB, PROT_READ) == 0);
        REQUIRE(is_stamped(memory, 0, 8 * MIB, 2));
        const int zeros = 0;
        int pipe_ends[2];
        REQUIRE(pipe(pipe_ends) == 0 && write(pipe_ends[1], &zeros, 4) == 4);
        REQUIRE(read(pipe_ends[0], memory, 4) == -1 && errno == EFAULT);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        REQUIRE(mprotect(memory + 2 * MIB, 2 * MIB, PROT_NONE) == 0);
        REQUIRE(munmap(memory, 8 * MIB) == 0);  // whoever gets it next may write to it
    }
}

// What is locked may not go to the disk: where that cannot be promised, it is not.
static void test_locks(void) {
    char* memory = map_private(8 * MIB);
    stamp(memory, 0, 8 * MIB, 4);
    const int managed = mlock(memory, MIB) != 0;
    if (managed) REQUIRE(errno == ENOMEM);
    const int second = mlock2(memory + 2 * MIB, 4096, MLOCK_ONFAULT);
    REQUIRE(managed ? second == -1 && errno == ENOMEM : second == 0);
    REQUIRE(munlock(memory, 8 * MIB) == 0);
    char* small = map_private(4096);
    REQUIRE(mlock(small, 4096) == 0 && munlock(small, 4096) == 0);
    REQUIRE(munmap(small, 4096) == 0);
    REQUIRE(munlockall() == 0);
    REQUIRE(is_stamped(memory, 0, 8 * MIB, 4));
    REQUIRE(munmap(memory, 8 * MIB) == 0);
}

// To ask which pages are in memory brings none in and changes none; what has just been used is.
static void test_mincore(void) {
    static unsigned char pages[16 * 256];
    char* memory = map_private(16 * MIB);
    stamp(memory, 0, 16 * MIB, 5);
    REQUIRE(is_stamped(memory, 0, 4096, 5));
    REQUIRE(mincore(memory, 16 * MIB, pages) == 0 && (pages[0] & 1));
    REQUIRE(mincore(memory + 1, 4096, pages) == -1 && errno == EINVAL);
    REQUIRE(is_stamped(memory, 0, 16 * MIB, 5));
    REQUIRE(msync(memory, 16 * MIB, MS_SYNC) == 0);
    REQUIRE(munmap(memory, 16 * MIB) == 0);
}

static void test_fixed(void) {
    char* memory = map_private(8 * MIB);
    stamp(memory, 0, 8 * MIB, 3);
    REQUIRE(mmap(memory + MIB, 4 * MIB, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory + MIB);
    REQUIRE(is_stamped(memory, 0, MIB, 3) && is_zero(memory, MIB, 5 * MIB));
    REQUIRE(is_stamped(memory, 5 * MIB, 8 * MIB, 3));
    REQUIRE(munmap(memory, 8 * MIB) == 0);
}

static void test_left_to_the_system(void) {
    void* reserved = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(reserved != MAP_FAILED && mprotect(reserved, MIB, PROT_READ | PROT_WRITE) == 0);
    stamp(reserved, 0, MIB, 1);
    REQUIRE(madvise(reserved, MIB, MADV_DONTNEED) == 0 && is_zero(reserved, 0, MIB));
    REQUIRE(munmap(reserved, 64 * MIB) == 0);
    reserved = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    reserved = mremap(reserved, 64 * MIB, 128 * MIB, MREMAP_MAYMOVE);
    REQUIRE(reserved != MAP_FAILED && munmap(reserved, 128 * MIB) == 0);
    void* shared = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED && munmap(shared, 4 * MIB) == 0);
    REQUIRE(munmap((void*)4096, 0) == -1 && errno == EINVAL);
}

int main(void) {
    test_whole();
    test_cut_ends();
    test_pieces();
    test_advice();
    test_remap();
    test_protection();
    test_locks();
    test_mincore();
    test_fixed();
    test_left_to_the_system();
    puts("ok");
    return 0;
}
