/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: after ciuic_open() the library never calls malloc, on any thread, so that malloc itself may
 * be built on it. Method: this program's own malloc family counts its calls, for the library too,
 * from ciuic_open() to ciuic_close(); in between more memory is used than the device has, and
 * failures are asked about. Exit 77 where this machine has no host device or a sanitizer owns
 * malloc.
 */
#include "ciuic/vmm.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#ifdef CIUIC_SANITIZED
int main(void)
{
    fprintf(stderr, "skipped: a sanitizer owns malloc\n");
    return 77;
}
#else

/* NOLINTBEGIN(bugprone-reserved-identifier): glibc's own names */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);
/* NOLINTEND(bugprone-reserved-identifier) */

static atomic_bool counting;
static atomic_uint calls;

static void count(void)
{
    if (atomic_load(&counting))
        atomic_fetch_add(&calls, 1);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    count();
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    if (memory)
        count();
    __libc_free(memory);
}

#define MIB ((uint64_t)1 << 20)

/* Everything once; 0 when all went well. */
static int use(ciuic_session *session)
{
    ciuic_region_options options = {0};
    ciuic_region *region = NULL;
    ciuic_statistics statistics = {0};
    void *memory = NULL;
    options.struct_size = sizeof options;
    options.size_bytes = 48 * MIB;
    options.reserve_bytes = 64 * MIB;
    statistics.struct_size = sizeof statistics;
    if (ciuic_region_create(session, &options, &region) != CIUIC_OK)
        return 1;
    char *bytes = ciuic_region_address(region);
    for (uint64_t at = 0; at < 48 * MIB; at += 4096)
        bytes[at] = (char)(at >> 12);
    for (uint64_t at = 0; at < 48 * MIB; at += 4096)
        if (bytes[at] != (char)(at >> 12))
            return 2;
    ciuic_range part = {region, 0, 8 * MIB};
    if (ciuic_acquire(session, &part, 1, CIUIC_READ, NULL) != CIUIC_OK ||
        ciuic_release(session, &part, 1, NULL) != CIUIC_OK ||
        ciuic_prefetch(session, &part, 1, NULL) != CIUIC_OK ||
        ciuic_advise(session, &part, 1, CIUIC_ADVICE_COLD) != CIUIC_OK ||
        ciuic_advise(session, &part, 1, CIUIC_ADVICE_DISCARD) != CIUIC_OK)
        return 3;
    if (ciuic_alloc(session, 4 * MIB, &memory) != CIUIC_OK ||
        ciuic_alloc_resize(session, memory, 8 * MIB) != CIUIC_OK ||
        ciuic_free(session, memory) != CIUIC_OK)
        return 4;
    if (ciuic_alloc(session, 640 * MIB, &memory) != CIUIC_E_NO_MEMORY ||
        strlen(ciuic_last_error_text()) == 0)
        return 5;
    if (ciuic_region_resize(region, 56 * MIB) != CIUIC_OK ||
        ciuic_stats(session, &statistics) != CIUIC_OK || statistics.evictions == 0 ||
        ciuic_region_destroy(region) != CIUIC_OK)
        return 6;
    return 0;
}

int main(void)
{
    ciuic_options options = {0};
    ciuic_session *session = NULL;
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_EMBEDDED;
    options.budget_bytes = 16 * MIB;
    options.store_bytes = 64 * MIB;
    const ciuic_status opened = ciuic_open(&options, &session);
    if (opened == CIUIC_E_UNSUPPORTED) {
        fprintf(stderr, "skipped: %s\n", ciuic_last_error_text());
        return 77;
    }
    if (opened != CIUIC_OK) {
        fprintf(stderr, "ciuic_open: %s\n", ciuic_last_error_text());
        return 1;
    }
    atomic_store(&counting, 1);
    const int failed_at = use(session);
    atomic_store(&counting, 0);
    if (failed_at)
        fprintf(stderr, "step %d: %s\n", failed_at, ciuic_last_error_text());
    if (atomic_load(&calls))
        fprintf(stderr, "malloc and its kin were called %u times\n", atomic_load(&calls));
    ciuic_close(session);
    return failed_at || atomic_load(&calls);
}
#endif
