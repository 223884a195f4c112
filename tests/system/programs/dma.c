// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program that has devices write to its memory and read from it: direct I/O, Linux AIO,
// io_uring, vmsplice. Other threads keep all of its memory in use meanwhile. Its arguments: what to
// do, how many MiB, and a file to make for it; it prints "ok", or "refused" where the system has
// none of what was asked for.
#include "require.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { read_bytes = 1 << 20, threads_max = 3, seed = 5 };

static size_t size;
static char* memory;   // what is read to
static char* churned;  // what pushes it out
static int file;
static atomic_int stop;
static atomic_ulong rounds;

static void* opaque(void* address) {
    __asm__ volatile("" : "+r"(address));
    return address;
}

// Keeps memory short for as long as the others work.
static void* churn(void* argument) {
    (void)argument;
    for (size_t at = 0; !stop; at = (at + 64 * 1024) % size) churned[at] += 1;
    return NULL;
}

static void make_file(const char* path) {
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    REQUIRE(file >= 0);
    char* block = NULL;
    REQUIRE(posix_memalign((void**)&block, 4096, 256 * 1024) == 0);
    for (size_t at = 0; at < size; at += 256 * 1024) {
        uint64_t* words = (uint64_t*)block;
        for (size_t word = 0; word < 256 * 1024 / 8; ++word)
            words[word] = stamp_of(at / 8 + word, seed);
        REQUIRE(pwrite(file, block, 256 * 1024, (off_t)at) == 256 * 1024);
    }
    free(block);
}

// What was read is there, all of it.
static void check_part(size_t at, size_t bytes) {
    if (is_stamped(memory, at, at + bytes, seed)) return;
    fprintf(stderr, "a read at %zu has left other bytes behind\n", at);
    exit(1);
}

static ssize_t read_plain(size_t at) { return pread(file, memory + at, read_bytes, (off_t)at); }
static ssize_t read_vector(size_t at) {
    const struct iovec parts[] = {{memory + at, 8192}, {memory + at + 8192, read_bytes - 8192}};
    return preadv(file, parts, 2, (off_t)at);
}
static ssize_t (*read_part)(size_t) = read_plain;

static void* read_in_turn(void* argument) {
    const size_t parts = size / read_bytes;
    for (size_t part = (uintptr_t)argument; part < 2 * parts; part += threads_max) {
        const size_t at = part % parts * read_bytes;
        memset(memory + at, 0x11, read_bytes);
        REQUIRE(read_part(at) == read_bytes);
        check_part(at, read_bytes);
        ++rounds;
    }
    return NULL;
}

static void test_reads(void) {
    pthread_t readers[threads_max];
    for (uintptr_t index = 0; index < threads_max; ++index)
        REQUIRE(pthread_create(&readers[index], NULL, read_in_turn, (void*)index) == 0);
    for (int index = 0; index < threads_max; ++index)
        REQUIRE(pthread_join(readers[index], NULL) == 0);
}

// All of it in one call, which is more than there is memory.
static void test_large_read(void) {
    memset(memory, 0x11, size);
    for (size_t done = 0; done < size;) {
        const ssize_t got = pread(file, memory + done, size - done, (off_t)done);
        REQUIRE(got > 0);
        done += (size_t)got;
    }
    check_part(0, size);
    REQUIRE(lseek(file, 4096, SEEK_SET) == 4096);
    REQUIRE(read(file, memory + 4096, 3 * MIB) == (ssize_t)(3 * MIB));
    REQUIRE(lseek(file, 0, SEEK_CUR) == (off_t)(3 * MIB + 4096));
    check_part(0, 4 * MIB);
    // What is wrong stays wrong.
    REQUIRE(pread(file, memory + 1, 4096, 1) == -1 && errno == EINVAL);
    REQUIRE(pread(-1, memory, 4096, 0) == -1 && errno == EBADF);
    REQUIRE(pread(file, memory, 4096, (off_t)size) == 0);
}

// To the file and back through memory that is not managed.
static void test_writes(void) {
    stamp(memory, 0, size, seed + 1);
    for (size_t at = 0; at < size; at += 4 * MIB)
        REQUIRE(pwrite(file, memory + at, 4 * MIB, (off_t)at) == (ssize_t)(4 * MIB));
    char* block = NULL;
    REQUIRE(posix_memalign((void**)&block, 4096, 256 * 1024) == 0);
    for (size_t at = 0; at < size; at += 256 * 1024) {
        REQUIRE(pread(file, block, 256 * 1024, (off_t)at) == 256 * 1024);
        for (size_t word = 0; word < 256 * 1024 / 8; ++word)
            REQUIRE(((uint64_t*)block)[word] == stamp_of(at / 8 + word, seed + 1));
    }
    free(block);
}

static void refuse(void) {
    puts("refused");
    exit(0);
}

// glibc has no names for these calls; programs make them so.
static void test_aio(void) {
    enum { depth = 8 };
    aio_context_t context = 0;
    if (syscall(SYS_io_setup, depth, &context) != 0) refuse();
    for (size_t base = 0; base + depth * read_bytes <= size; base += depth * read_bytes) {
        struct iocb requests[depth];
        struct iocb* list[depth];
        memset(requests, 0, sizeof requests);
        memset(memory + base, 0x11, depth * read_bytes);
        for (int index = 0; index < depth; ++index) {
            requests[index].aio_lio_opcode = IOCB_CMD_PREAD;
            requests[index].aio_fildes = (uint32_t)file;
            requests[index].aio_buf = (uintptr_t)(memory + base + index * read_bytes);
            requests[index].aio_nbytes = read_bytes;
            requests[index].aio_offset = (int64_t)(base + index * read_bytes);
            list[index] = &requests[index];
        }
        REQUIRE(syscall(SYS_io_submit, context, depth, list) == depth);
        struct io_event events[depth];
        REQUIRE(syscall(SYS_io_getevents, context, depth, depth, events, NULL) == depth);
        for (int index = 0; index < depth; ++index) REQUIRE(events[index].res == read_bytes);
        check_part(base, depth * read_bytes);
        ++rounds;
    }
    syscall(SYS_io_destroy, context);
}

static void test_uring(void) {
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    const int ring = (int)syscall(SYS_io_uring_setup, 8, &parameters);
    if (ring < 0) refuse();
    char* submission = mmap(NULL, parameters.sq_off.array + parameters.sq_entries * 4,
                            PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char* completion =
        mmap(NULL, parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe),
             PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe* entries = mmap(NULL, parameters.sq_entries * sizeof(struct io_uring_sqe),
                                        PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    REQUIRE(submission != MAP_FAILED && completion != MAP_FAILED && entries != MAP_FAILED);
    for (size_t at = 0; at + read_bytes <= size; at += read_bytes) {
        memset(memory + at, 0x11, read_bytes);
        memset(&entries[0], 0, sizeof entries[0]);
        entries[0].opcode = IORING_OP_READ;
        entries[0].fd = file;
        entries[0].addr = (uintptr_t)(memory + at);
        entries[0].len = read_bytes;
        entries[0].off = at;
        ((uint32_t*)(submission + parameters.sq_off.array))[0] = 0;
        atomic_fetch_add((atomic_uint*)(submission + parameters.sq_off.tail), 1);
        REQUIRE(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
        atomic_uint* head = (atomic_uint*)(completion + parameters.cq_off.head);
        const uint32_t mask = *(uint32_t*)(completion + parameters.cq_off.ring_mask);
        const struct io_uring_cqe* done =
            (struct io_uring_cqe*)(completion + parameters.cq_off.cqes) + (*head & mask);
        REQUIRE(done->res == read_bytes);
        atomic_fetch_add(head, 1);
        check_part(at, read_bytes);
        ++rounds;
    }
}

// Pages given to a pipe keep the bytes that they had, although their place is pushed out before
// they are read; what comes out of a pipe lands where it belongs.
static void test_vmsplice(void) {
    int ends[2];
    REQUIRE(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 64 * 1024) > 0);
    stamp(memory, 0, size, seed);
    static uint64_t words[64 * 1024 / 8];
    for (size_t at = 0; at + MIB <= size; at += MIB) {
        const struct iovec part = {memory + at, 64 * 1024};
        const ssize_t given = vmsplice(ends[1], &part, 1, 0);
        REQUIRE(given > 0);
        for (int turn = 0; turn < 64; ++turn) churned[(at + turn * 64 * 1024) % size] += 1;
        REQUIRE(read(ends[0], words, (size_t)given) == given);
        for (ssize_t word = 0; word < given / 8; ++word)
            REQUIRE(words[word] == stamp_of(at / 8 + (size_t)word, seed));
        REQUIRE(write(ends[1], words, (size_t)given) == given);
        memset(memory + at, 0, (size_t)given);
        const struct iovec back = {memory + at, (size_t)given};
        REQUIRE(vmsplice(ends[0], &back, 1, 0) == given);
        check_part(at, MIB);
    }
}

int main(int count, char** arguments) {
    if (count < 4) return 2;
    size = (size_t)atol(arguments[2]) * MIB;
    make_file(arguments[3]);
    REQUIRE(posix_memalign((void**)&memory, 4096, size) == 0);
    churned = opaque(malloc(size));
    REQUIRE(churned);
    memset(churned, 1, size);
    pthread_t churners[2];
    for (int index = 0; index < 2; ++index)
        REQUIRE(pthread_create(&churners[index], NULL, churn, NULL) == 0);
    const char* what = arguments[1];
    if (!strcmp(what, "vector")) read_part = read_vector;
    if (!strcmp(what, "plain") || !strcmp(what, "vector"))
        test_reads();
    else if (!strcmp(what, "large"))
        test_large_read();
    else if (!strcmp(what, "writes"))
        test_writes();
    else if (!strcmp(what, "aio"))
        test_aio();
    else if (!strcmp(what, "uring"))
        test_uring();
    else if (!strcmp(what, "vmsplice"))
        test_vmsplice();
    else
        return 2;
    stop = 1;
    for (int index = 0; index < 2; ++index) REQUIRE(pthread_join(churners[index], NULL) == 0);
    unlink(arguments[3]);
    puts("ok");
    return 0;
}
