/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the C ABI can be used from C11, and structures lie in memory as ABI 1 says.
 * Method: static assertions on offsets; a session of 16 MiB over a store of 64 MiB, embedded;
 * every function once, its effect looked at. Exit 77 where this machine has no host device.
 */
#include "ciuic/vmm.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(ciuic_options) == 72, "ABI 1");
static_assert(offsetof(ciuic_options, mode) == 8, "ABI 1");
static_assert(offsetof(ciuic_options, flags) == 12, "ABI 1");
static_assert(offsetof(ciuic_options, socket_path) == 16, "ABI 1");
static_assert(offsetof(ciuic_options, name) == 24, "ABI 1");
static_assert(offsetof(ciuic_options, address_bytes) == 32, "ABI 1");
static_assert(offsetof(ciuic_options, store_path) == 40, "ABI 1");
static_assert(offsetof(ciuic_options, budget_bytes) == 48, "ABI 1");
static_assert(offsetof(ciuic_options, store_bytes) == 56, "ABI 1");
static_assert(offsetof(ciuic_options, chunk_bytes) == 64, "ABI 1");
static_assert(sizeof(ciuic_region_options) == 32, "ABI 1");
static_assert(offsetof(ciuic_region_options, size_bytes) == 8, "ABI 1");
static_assert(offsetof(ciuic_region_options, reserve_bytes) == 16, "ABI 1");
static_assert(offsetof(ciuic_region_options, flags) == 24, "ABI 1");
static_assert(sizeof(ciuic_range) == 24, "ABI 1");
static_assert(offsetof(ciuic_range, offset_bytes) == 8, "ABI 1");
static_assert(offsetof(ciuic_range, length_bytes) == 16, "ABI 1");
static_assert(offsetof(ciuic_statistics, chunk_bytes) == 16, "ABI 1");
static_assert(offsetof(ciuic_statistics, device_bytes) == 64, "ABI 1");
static_assert(offsetof(ciuic_statistics, faults) == 104, "ABI 1");
static_assert(offsetof(ciuic_statistics, evictions) == 144, "ABI 1");
static_assert(offsetof(ciuic_statistics, stall_ns) == 232, "ABI 1");
static_assert(offsetof(ciuic_statistics, bytes_in_prefetch) == 256, "ABI 1");
static_assert(offsetof(ciuic_statistics, waits_expired) == 296, "ABI 1");
static_assert(offsetof(ciuic_statistics, prefetches_in_order) == 304, "ABI 1");
static_assert(sizeof(ciuic_statistics) == 312, "ABI 1");
static_assert(CIUIC_E_FORKED == 13 && CIUIC_E_QUOTA == 4, "ABI 1");

#define MIB ((uint64_t)1 << 20)
#define CHUNK (2 * MIB)

static int failures;

static void expect(int truth, const char *claim, int line)
{
    if (truth)
        return;
    ++failures;
    fprintf(stderr, "line %d: not so: %s; last error: %s\n", line, claim, ciuic_last_error_text());
}
#define EXPECT(claim) expect((claim), #claim, __LINE__)

static int test_regions(ciuic_session *session)
{
    ciuic_region_options options = {0};
    ciuic_region *region = NULL;
    options.struct_size = sizeof options;
    options.size_bytes = 3 * CHUNK - 1;
    options.reserve_bytes = 8 * CHUNK;
    EXPECT(ciuic_region_create(session, &options, &region) == CIUIC_OK);
    if (!region)
        return 0;
    EXPECT(ciuic_region_size(region) == 3 * CHUNK);
    char *bytes = ciuic_region_address(region);
    EXPECT(bytes && (uintptr_t)bytes % CHUNK == 0 && ciuic_owns(session, bytes));

    ciuic_range part = {region, CHUNK - 1, 2};
    EXPECT(ciuic_prefetch(session, &part, 1, NULL) == CIUIC_OK);
    EXPECT(ciuic_acquire(session, &part, 1, CIUIC_READ | CIUIC_WRITE, NULL) == CIUIC_OK);
    memset(bytes + CHUNK - 1, 7, 2);
    EXPECT(ciuic_region_destroy(region) == CIUIC_E_BUSY);
    EXPECT(ciuic_release(session, &part, 1, NULL) == CIUIC_OK);
    EXPECT(ciuic_release(session, &part, 1, NULL) == CIUIC_E_INVALID);
    EXPECT(ciuic_advise(session, &part, 1, CIUIC_ADVICE_COLD) == CIUIC_OK);
    EXPECT(bytes[CHUNK - 1] == 7 && bytes[CHUNK] == 7);

    EXPECT(ciuic_advise(session, &part, 1, CIUIC_ADVICE_DISCARD) == CIUIC_E_INVALID);
    ciuic_range whole = {region, 0, 2 * CHUNK};
    EXPECT(ciuic_advise(session, &whole, 1, CIUIC_ADVICE_DISCARD) == CIUIC_OK);
    EXPECT(bytes[CHUNK - 1] == 0 && bytes[CHUNK] == 0);

    EXPECT(ciuic_region_resize(region, 8 * CHUNK) == CIUIC_OK);
    EXPECT(ciuic_region_size(region) == 8 * CHUNK);
    bytes[8 * CHUNK - 1] = 1;
    EXPECT(ciuic_region_destroy(region) == CIUIC_OK);
    return 1;
}

static void test_allocations(ciuic_session *session)
{
    void *memory = NULL;
    EXPECT(ciuic_alloc(session, CHUNK + 1, &memory) == CIUIC_OK);
    EXPECT(ciuic_usable_size(session, memory) == 2 * CHUNK);
    EXPECT(ciuic_alloc_resize(session, memory, 3 * CHUNK) == CIUIC_OK);
    EXPECT(ciuic_usable_size(session, memory) == 3 * CHUNK);
    ciuic_range by_address = {NULL, (uint64_t)(uintptr_t)memory, CHUNK};
    EXPECT(ciuic_acquire(session, &by_address, 1, CIUIC_READ, NULL) == CIUIC_OK);
    EXPECT(ciuic_release(session, &by_address, 1, NULL) == CIUIC_OK);
    EXPECT(ciuic_free(session, (char *)memory + CHUNK) == CIUIC_E_INVALID);
    EXPECT(ciuic_free(session, memory) == CIUIC_OK);
    EXPECT(ciuic_free(session, memory) == CIUIC_E_INVALID);
    EXPECT(ciuic_alloc(session, 65 * MIB, &memory) == CIUIC_E_NO_MEMORY);
    EXPECT(memory == NULL && strlen(ciuic_last_error_text()) > 0);
}

static void test_statistics(ciuic_session *session)
{
    ciuic_statistics statistics;
    memset(&statistics, 0xff, sizeof statistics);
    statistics.struct_size = sizeof statistics;
    EXPECT(ciuic_stats(session, &statistics) == CIUIC_OK);
    EXPECT(statistics.mode == CIUIC_MODE_EMBEDDED && statistics.chunk_bytes == CHUNK);
    EXPECT(statistics.budget_bytes == 16 * MIB && statistics.fills > 0);
    EXPECT(statistics.allocated_bytes == 0 && statistics.allocated_bytes_peak == 8 * CHUNK);

    /* A program built with a shorter structure gets no more than it has room for. */
    memset(&statistics, 0xff, sizeof statistics);
    statistics.struct_size = offsetof(ciuic_statistics, chunk_bytes);
    EXPECT(ciuic_stats(session, &statistics) == CIUIC_OK);
    EXPECT(statistics.abi_version == CIUIC_ABI_VERSION && statistics.chunk_bytes == UINT64_MAX);
}

int main(void)
{
    EXPECT(ciuic_version() >= CIUIC_ABI_VERSION);
    EXPECT(strcmp(ciuic_status_text(CIUIC_OK), "ok") == 0);
    EXPECT(strcmp(ciuic_last_error_text(), "") == 0);

    ciuic_options options = {0};
    ciuic_session *session = NULL;
    EXPECT(ciuic_open(&options, &session) == CIUIC_E_INVALID);
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_EMBEDDED;
    options.name = "every_function";
    options.budget_bytes = 16 * MIB;
    options.store_bytes = 64 * MIB;
    const ciuic_status opened = ciuic_open(&options, &session);
    if (opened == CIUIC_E_UNSUPPORTED) {
        fprintf(stderr, "skipped: %s\n", ciuic_last_error_text());
        return 77;
    }
    EXPECT(opened == CIUIC_OK);
    if (!session)
        return 1;
    if (test_regions(session)) {
        test_allocations(session);
        test_statistics(session);
    }
    EXPECT(ciuic_close(session) == CIUIC_OK);
    return failures != 0;
}
