// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program that uses every entry of the heap with large sizes and checks what it gets.
// Its first argument names what to do; it prints "ok". It never knows who serves its memory.
#include "require.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (2 * MIB)

// The compiler may not reason about what malloc() gives.
static void* opaque(void* memory) {
    __asm__ volatile("" : "+r"(memory));
    return memory;
}

// More than any allocator has; the compiler may not know.
static volatile size_t far_too_much = (size_t)-1 / 2;

static void test_calloc_after_use(void) {
    for (int round = 0; round < 6; ++round) {
        char* used = opaque(malloc(8 * MIB));
        REQUIRE(used);
        stamp(used, 0, 8 * MIB, 1);
        free(used);
        char* fresh = opaque(calloc(8, MIB));
        REQUIRE(fresh && is_zero(fresh, 0, 8 * MIB));
        stamp(fresh, 0, 8 * MIB, 2);
        free(fresh);
    }
    REQUIRE(opaque(calloc(far_too_much, 4)) == NULL && errno == ENOMEM);
}

static void test_realloc(void) {
    size_t bytes = 64;
    char* memory = malloc(bytes);
    stamp(memory, 0, bytes, 7);
    // From the C library's heap into large sizes, step by step, and back.
    for (size_t next = 3 * bytes; next < 200 * MIB; next = next * 7 / 3 / 8 * 8) {
        memory = opaque(realloc(memory, next));
        REQUIRE(memory && is_stamped(memory, 0, bytes, 7));
        stamp(memory, bytes, next, 7);
        bytes = next;
    }
    char* before = memory;
    REQUIRE(opaque(realloc(memory, bytes - 8)) == before);
    const size_t sizes[] = {90 * MIB, 17 * MIB + 4096, 3 * MIB, 1 * MIB, 512 * 1024, 8};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; ++index) {
        memory = opaque(realloc(memory, sizes[index]));
        REQUIRE(memory && is_stamped(memory, 0, sizes[index], 7));
    }
    memory = opaque(reallocarray(memory, 5, MIB));
    REQUIRE(memory && is_stamped(memory, 0, 8, 7));
    REQUIRE(reallocarray(memory, far_too_much, 16) == NULL && errno == ENOMEM);
    REQUIRE(is_stamped(memory, 0, 8, 7));
    REQUIRE(realloc(memory, 0) == NULL);
}

// Grows step by step, at its place: there may be no room for a copy.
static void test_growth(void) {
    size_t bytes = 60 * MIB;
    char* memory = opaque(malloc(bytes));
    REQUIRE(memory);
    stamp(memory, 0, bytes, 3);
    while (bytes < 160 * MIB) {
        char* grown = opaque(realloc(memory, bytes + 4 * MIB));
        REQUIRE(grown);
        memory = grown;
        stamp(memory, bytes, bytes + 4 * MIB, 3);
        bytes += 4 * MIB;
    }
    REQUIRE(is_stamped(memory, 0, bytes, 3));
    free(memory);
}

static void test_alignment(void) {
    for (size_t alignment = sizeof(void*); alignment <= 8 * MIB; alignment *= 2) {
        void* memory = NULL;
        errno = 5;
        REQUIRE(posix_memalign(&memory, alignment, 3 * MIB) == 0 && errno == 5);
        REQUIRE((uintptr_t)memory % alignment == 0);
        stamp(memory, 0, 3 * MIB, alignment);
        REQUIRE(is_stamped(memory, 0, 3 * MIB, alignment));
        free(memory);
        memory = aligned_alloc(alignment, 4 * MIB);
        REQUIRE(memory && (uintptr_t)memory % alignment == 0);
        free(memory);
        memory = memalign(alignment, 5 * MIB);
        REQUIRE(memory && (uintptr_t)memory % alignment == 0);
        free(memory);
    }
    void* kept = &kept;
    REQUIRE(posix_memalign(&kept, 24, 3 * MIB) == EINVAL && kept == &kept);
    void* page = valloc(3 * MIB + 1);
    REQUIRE(page && (uintptr_t)page % 4096 == 0);
    free(page);
    page = pvalloc(3 * MIB + 1);
    REQUIRE(page && (uintptr_t)page % 4096 == 0 && malloc_usable_size(page) >= 3 * MIB + 4096);
    free(page);
}

static void test_usable_size(void) {
    for (size_t bytes = 100; bytes < 40 * MIB; bytes = bytes * 3 + 1) {
        char* memory = opaque(malloc(bytes));
        const size_t usable = malloc_usable_size(memory);
        REQUIRE(memory && usable >= bytes);
        // All of it may be used, and realloc keeps all of it.
        stamp(memory, 0, usable / 8 * 8, bytes);
        memory = opaque(realloc(memory, usable + 5 * MIB));
        REQUIRE(memory && is_stamped(memory, 0, usable / 8 * 8, bytes));
        errno = 77;
        free(memory);
        REQUIRE(errno == 77);
    }
    REQUIRE(malloc_usable_size(NULL) == 0);
}

// Takes memory until there is none; then everything is still as it was, and can be had again.
static void test_exhaustion(size_t promise_bytes) {
    enum { most = 4096 };
    static char* blocks[most];
    for (int round = 0; round < 2; ++round) {
        size_t count = 0;
        for (; count < most; ++count) {
            errno = 0;
            blocks[count] = opaque(malloc(8 * MIB));
            if (!blocks[count]) break;
            stamp(blocks[count], 0, 8 * MIB, count);
        }
        REQUIRE(errno == ENOMEM);
        REQUIRE(count * 8 * MIB <= promise_bytes && (count + 2) * 8 * MIB > promise_bytes);
        errno = 0;
        REQUIRE(realloc(blocks[0], promise_bytes) == NULL && errno == ENOMEM);
        REQUIRE(malloc(1000) != NULL);  // small ones are not concerned
        for (size_t index = 0; index < count; ++index) {
            REQUIRE(is_stamped(blocks[index], 0, 8 * MIB, index));
            free(blocks[index]);
        }
    }
}

// `managed`: the child has its parent's memory to read; what it does with a pointer to it must harm
// nobody.
static void test_fork(int managed) {
    char* inherited = opaque(malloc(24 * MIB));
    stamp(inherited, 0, 24 * MIB, 3);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (managed) {
            REQUIRE(malloc_usable_size(inherited) >= 24 * MIB);
            char* copy = opaque(realloc(inherited, 6 * MIB));
            REQUIRE(copy && copy != inherited && is_stamped(copy, 0, 6 * MIB, 3));
            free(copy);
        }
        char* own = opaque(malloc(24 * MIB));
        REQUIRE(own && is_zero(own, 0, 24 * MIB));
        stamp(own, 0, 24 * MIB, 4);
        free(opaque(inherited));
        REQUIRE(is_stamped(own, 0, 24 * MIB, 4));
        // And once more: a grandchild knows both.
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            if (managed) free(opaque(inherited));
            free(own);
            char* third = opaque(malloc(24 * MIB));
            stamp(third, 0, 24 * MIB, 5);
            REQUIRE(is_stamped(third, 0, 24 * MIB, 5));
            free(third);
            _exit(0);
        }
        int status = 1;
        REQUIRE(waitpid(grandchild, &status, 0) == grandchild && status == 0);
        REQUIRE(is_stamped(own, 0, 24 * MIB, 4));
        free(own);
        _exit(0);
    }
    stamp(inherited, 12 * MIB, 24 * MIB, 6);
    int status = 1;
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    REQUIRE(is_stamped(inherited, 0, 12 * MIB, 3));
    REQUIRE(is_stamped(inherited, 12 * MIB, 24 * MIB, 6));
    free(inherited);
}

static void* allocate_in_thread(void* argument) {
    const uint64_t seed = (uintptr_t)argument;
    uint64_t random = seed;
    char* held[4] = {0};
    size_t sizes[4] = {0};
    for (int step = 0; step < 60; ++step) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        const int which = (random >> 33) % 4;
        if (held[which]) {
            REQUIRE(is_stamped(held[which], 0, sizes[which], seed + which));
            free(held[which]);
        }
        sizes[which] = MIB + (random >> 40) % (5 * MIB) / 8 * 8;
        held[which] = opaque(step % 2 ? malloc(sizes[which]) : calloc(1, sizes[which]));
        REQUIRE(held[which] && (step % 2 || is_zero(held[which], 0, sizes[which])));
        stamp(held[which], 0, sizes[which], seed + which);
    }
    for (int which = 0; which < 4; ++which) free(held[which]);
    return NULL;
}

static void test_threads(void) {
    enum { count = 8 };
    pthread_t threads[count];
    for (uintptr_t index = 0; index < count; ++index)
        REQUIRE(pthread_create(&threads[index], NULL, allocate_in_thread,
                               (void*)(index * 100 + 1)) == 0);
    for (int index = 0; index < count; ++index) REQUIRE(pthread_join(threads[index], NULL) == 0);
}

// Many processes are forked while other threads allocate: none of them may hang or fail.
static void test_fork_among_threads(void) {
    pthread_t threads[3];
    for (uintptr_t index = 0; index < 3; ++index)
        REQUIRE(pthread_create(&threads[index], NULL, allocate_in_thread,
                               (void*)(index * 100 + 1)) == 0);
    for (int round = 0; round < 12; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            char* own = opaque(malloc(3 * MIB));
            stamp(own, 0, 3 * MIB, 8);
            _exit(is_stamped(own, 0, 3 * MIB, 8) ? 0 : 1);
        }
        int status = 1;
        REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    }
    for (int index = 0; index < 3; ++index) REQUIRE(pthread_join(threads[index], NULL) == 0);
}

static void test_library(const char* path) {
    REQUIRE(dlopen(path, RTLD_NOW) != NULL);
    for (int round = 0; round < 3; ++round) free(opaque(malloc(4 * MIB)));
}

int main(int count, char** arguments) {
    const char* what = count > 1 ? arguments[1] : "";
    const char* how = count > 2 ? arguments[2] : "";
    if (!strcmp(what, "calloc"))
        test_calloc_after_use();
    else if (!strcmp(what, "realloc"))
        test_realloc();
    else if (!strcmp(what, "growth"))
        test_growth();
    else if (!strcmp(what, "alignment"))
        test_alignment();
    else if (!strcmp(what, "usable_size"))
        test_usable_size();
    else if (!strcmp(what, "exhaustion"))
        test_exhaustion((size_t)atol(how) * MIB);
    else if (!strcmp(what, "fork"))
        test_fork(!strcmp(how, "managed"));
    else if (!strcmp(what, "threads"))
        test_threads();
    else if (!strcmp(what, "fork_among_threads"))
        test_fork_among_threads();
    else if (!strcmp(what, "library"))
        test_library(how);
    else
        return 2;
    puts("ok");
    return 0;
}
