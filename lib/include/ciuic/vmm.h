/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libciuic_vmm: more device memory than the device has, for C and C++ programs.
 *
 *     ciuic_session *session;
 *     ciuic_region_options wanted = {0};
 *     ciuic_region *region;
 *     wanted.struct_size = sizeof wanted;
 *     wanted.size_bytes = 64ull << 30;
 *     if (ciuic_open(NULL, &session) || ciuic_region_create(session, &wanted, &region))
 *         return complain(ciuic_last_error_text());
 *     ciuic_range part = {region, offset_bytes, length_bytes};
 *     ciuic_acquire(session, &part, 1, CIUIC_READ | CIUIC_WRITE, NULL);
 *     work_on((char *)ciuic_region_address(region) + offset_bytes, length_bytes);
 *     ciuic_release(session, &part, 1, NULL);
 *
 * A session has one address space, cut into chunks (2 MiB by default). The hot chunks of it are in
 * frames of the device, the others in a store on disk. On the host device, whose frames are RAM,
 * memory may also be touched without being acquired: the touch waits until the chunk is there.
 *
 * Errors   A function that returns ciuic_status has done nothing unless it returns CIUIC_OK, or
 *          its comment says otherwise. ciuic_last_error_text() explains the last failure.
 * Threads  Any number, on one session, region or range, unless a comment says otherwise. Nothing
 *          here may be called from a signal handler.
 * Memory   After ciuic_open() nothing here calls malloc, so malloc itself may be built on it.
 *          (Where the library came by dlopen, the C library may, for a thread's first failing
 *          call.)
 * fork     A child has none of its parent's sessions: every call with one, or with a region of
 *          one, returns CIUIC_E_FORKED (what does not return a status says its own); touching
 *          their memory raises SIGSEGV. The child may open sessions of its own.
 * Growth   Structures begin with their size as the caller knows it; set it with sizeof. Later
 *          versions append fields, for which zero means the behaviour of before.
 */
#ifndef CIUIC_VMM_H
#define CIUIC_VMM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CIUIC_API __attribute__((visibility("default")))

/* The ABI that this header describes; see ciuic_version(). */
#define CIUIC_ABI_VERSION 1u

typedef struct ciuic_session ciuic_session;
typedef struct ciuic_region ciuic_region;

/* Work in the order of a device's queue (a CUstream). The host device has none: NULL only. */
typedef void *ciuic_stream;

typedef enum ciuic_status {
    CIUIC_OK = 0,
    CIUIC_E_INVALID = 1,       /* an argument is outside what is documented */
    CIUIC_E_RANGE = 2,         /* an address or range leaves its region */
    CIUIC_E_NO_MEMORY = 3,     /* store, address space or a table is used up */
    CIUIC_E_QUOTA = 4,         /* more at once than the device memory that the session may have */
    CIUIC_E_BUSY = 5,          /* in use: acquired by someone, or too many calls wait */
    CIUIC_E_DATA_LOST = 6,     /* the only copy of the bytes is damaged; they are not returned */
    CIUIC_E_IO = 7,            /* the operating system refused */
    CIUIC_E_TIMED_OUT = 8,     /* no answer, or no room on the device, within the deadline */
    CIUIC_E_UNSUPPORTED = 9,   /* this machine or device cannot do it */
    CIUIC_E_PERMISSION = 10,   /* denied to this user */
    CIUIC_E_DISCONNECTED = 11, /* the daemon is gone: the session's bytes are lost */
    CIUIC_E_VERSION = 12,      /* daemon and library do not understand each other */
    CIUIC_E_FORKED = 13        /* the session is that of the parent process */
} ciuic_status;

/* Where the engine runs. */
typedef enum ciuic_mode {
    CIUIC_MODE_AUTO = 0,     /* in the daemon where there is one, else embedded */
    CIUIC_MODE_DAEMON = 1,   /* in the daemon or not at all */
    CIUIC_MODE_EMBEDDED = 2  /* in this process, with a store of its own */
} ciuic_mode;

/* What the program promises. */
typedef enum ciuic_open_flag {
    /* It acquires whatever it uses before it does. Its order is then known, hits included: what
       comes next is there before it is acquired, and what is needed last leaves. Memory that is
       touched without is right and slow. A daemon makes no use of it yet. Since ABI 1. */
    CIUIC_DECLARES_USES = 1
} ciuic_open_flag;

typedef struct ciuic_options {
    uint64_t struct_size;    /* sizeof(ciuic_options) */
    uint32_t mode;           /* a ciuic_mode */
    uint32_t flags;          /* an OR of ciuic_open_flag */
    /* The daemon's socket. NULL: $CIUIC_SOCKET, else /run/ciuic/swapd.sock. CIUIC_MODE_AUTO falls
       back to embedded only when neither a path here nor the variable names one. */
    const char *socket_path;
    /* The session's name in reports, cut at 31 bytes. NULL: the program's. */
    const char *name;
    /* Address space for everything allocated at once, slack included. 0: four times what can be
       allocated, at least 16 GiB. Costs nothing until used. The daemon may give less. */
    uint64_t address_bytes;
    /* The following are for the embedded mode; a daemon has its own. */
    const char *store_path;  /* a directory, or a file to use. NULL: /var/tmp */
    uint64_t budget_bytes;   /* device memory, in whole chunks, at least 8. 0: 1/8 of the RAM */
    uint64_t store_bytes;    /* all that can be allocated. 0: four times the budget */
    uint64_t chunk_bytes;    /* a power of two, 64 KiB .. 64 MiB. 0: 2 MiB */
} ciuic_options;

typedef struct ciuic_region_options {
    uint64_t struct_size;    /* sizeof(ciuic_region_options) */
    uint64_t size_bytes;     /* not 0; widened to whole chunks */
    uint64_t reserve_bytes;  /* addresses kept for growth in place, size included. 0: the size */
    uint64_t flags;          /* 0 */
} ciuic_region_options;

/*
 * A range of bytes. offset_bytes and length_bytes may have any alignment: the range is widened to
 * whole chunks, except where a comment says otherwise. length_bytes is not 0.
 * region NULL: offset_bytes is the address itself, of memory of the same session (ciuic_alloc).
 */
typedef struct ciuic_range {
    ciuic_region *region;
    uint64_t offset_bytes;
    uint64_t length_bytes;
} ciuic_range;

/* What the caller will do with an acquired range: an OR of these, not 0. */
typedef enum ciuic_access {
    CIUIC_READ = 1,
    CIUIC_WRITE = 2
} ciuic_access;

typedef enum ciuic_advice {
    CIUIC_ADVICE_WILLNEED = 1, /* as ciuic_prefetch() */
    CIUIC_ADVICE_COLD = 2,     /* move it out now; what is acquired stays */
    CIUIC_ADVICE_DISCARD = 3   /* the bytes are not needed any more: they read as zero now */
} ciuic_advice;

/* A session's counts since it was opened, and its state now. */
typedef struct ciuic_statistics {
    uint64_t struct_size;          /* in: sizeof(ciuic_statistics); out: how much of it is filled */
    uint32_t abi_version;          /* of the library */
    uint32_t mode;                 /* CIUIC_MODE_DAEMON or CIUIC_MODE_EMBEDDED */
    uint64_t chunk_bytes;
    uint64_t budget_bytes;         /* most device memory it may have; 0: only the daemon knows */
    uint64_t base_address;         /* of the session's address space, */
    uint64_t address_bytes;        /* and its length */
    uint64_t allocated_bytes;      /* now; in whole chunks, as everything below */
    uint64_t allocated_bytes_peak;
    uint64_t device_bytes;         /* now on the device, or on the way in or out */
    uint64_t device_bytes_peak;    /* in whole chunks */
    uint64_t store_bytes;          /* now in the store only, single blocks of it aside */
    uint64_t empty_bytes;          /* now nowhere: never written since allocation or discard */
    uint64_t lost_bytes;           /* now lost: every access fails */
    uint64_t faults;               /* touches of absent memory that waited */
    uint64_t write_faults;         /* first writes to memory that was shown read-only */
    uint64_t stray_touches;        /* touches of memory that is not allocated; they raise SIGBUS */
    uint64_t fills;                /* chunks that got zeroed device memory */
    uint64_t fetches;              /* chunks read back from the store */
    uint64_t evictions;            /* chunks that left the device */
    uint64_t evictions_clean;      /* of these, without a write: the store still had the bytes */
    uint64_t recalls;              /* evictions undone because the program came back */
    uint64_t prefetches;           /* fetches ahead of a touch */
    uint64_t prefetches_used;      /* of these, touched later */
    uint64_t prefetches_wasted;    /* of these, moved out untouched */
    uint64_t store_bytes_written;
    uint64_t store_bytes_read;
    uint64_t tag_failures;         /* reads whose bytes were damaged, before any repeat */
    uint64_t write_failures;       /* writes that the store refused for good */
    uint64_t chunks_lost;
    uint64_t stall_ns;             /* time that the program waited, summed over chunks */
    uint64_t bytes_in_fault;       /* brought in because they were touched, */
    uint64_t bytes_in_acquire;     /* acquired, */
    uint64_t bytes_in_prefetch;    /* or expected */
    uint64_t pieces_in;            /* blocks read back alone: memory touched here and there */
    uint64_t pieces_out;           /* of these, gone again */
    uint64_t pieces_written;       /* of the gone, changed: written to the store */
    uint64_t gathers;              /* fetches that put a chunk together with such blocks */
    uint64_t waits_expired;        /* touches that got no device memory in time: SIGBUS */
    uint64_t prefetches_in_order;  /* prefetches in an order that the program repeats */
} ciuic_statistics;

/*
 * Open a session.
 *
 * options  NULL: all defaults.
 *
 * Returns  CIUIC_OK            *session is open; close it with ciuic_close().
 *          CIUIC_E_INVALID     an option is outside its bounds.
 *          CIUIC_E_UNSUPPORTED the kernel or the machine lacks what the host device needs.
 *          CIUIC_E_PERMISSION  the socket or the store is not open to this user.
 *          CIUIC_E_DISCONNECTED  there is no daemon at the socket, or it went away.
 *          CIUIC_E_VERSION     the daemon speaks another version of the protocol.
 *          CIUIC_E_NO_MEMORY   no room for the store, the budget or the address space.
 *          CIUIC_E_TIMED_OUT, CIUIC_E_IO
 * Blocks   for the handshake with the daemon (5 s at most); embedded, until the budget has been
 *          touched and the store is laid out.
 * Memory   calls malloc.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_open(const ciuic_options *options, ciuic_session **session);

/*
 * Close a session. Its regions and allocations are gone, their bytes too. NULL is allowed.
 *
 * Returns  CIUIC_OK.
 *          CIUIC_E_FORKED  in a forked child: nothing was done, the handle stays unusable.
 * Threads  no other call with the session may be under way or follow.
 * Blocks   until transfers under way have ended.
 * Memory   calls free.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_close(ciuic_session *session);

/*
 * Create a region: addresses with the promise that their bytes always have somewhere to go. It
 * reads as zero and takes no device memory until it is used.
 *
 * Returns  CIUIC_OK           *region is valid until ciuic_region_destroy() or ciuic_close().
 *          CIUIC_E_INVALID    an option is outside its bounds, or size_bytes is 0.
 *          CIUIC_E_NO_MEMORY  more than the store still has, no run of free addresses is long
 *                             enough, or the session has 65536 regions.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT, CIUIC_E_FORKED
 * Blocks   for one answer of the engine (microseconds).
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_region_create(ciuic_session *session,
                                           const ciuic_region_options *options,
                                           ciuic_region **region);

/*
 * Destroy a region and give its memory up. NULL is allowed.
 *
 * Returns  CIUIC_OK.
 *          CIUIC_E_BUSY  a part of it is acquired.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT, CIUIC_E_FORKED
 * Threads  no other call with the region may be under way or follow.
 * Blocks   until moves of its chunks have ended (milliseconds).
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_region_destroy(ciuic_region *region);

/* The region's first byte; it never moves. NULL for NULL. Since ABI 1. */
CIUIC_API void *ciuic_region_address(const ciuic_region *region);

/* The region's size in bytes, a multiple of the chunk. 0 for NULL. Since ABI 1. */
CIUIC_API uint64_t ciuic_region_size(const ciuic_region *region);

/*
 * Grow or shrink a region at its place. What is added reads as zero; what is cut off is given up.
 *
 * size_bytes  not 0; widened to whole chunks.
 *
 * Returns  CIUIC_OK           the region has the new size.
 *          CIUIC_E_INVALID    size_bytes is 0.
 *          CIUIC_E_NO_MEMORY  more than the store still has, or the addresses behind the region
 *                             are taken (ciuic_region_options.reserve_bytes keeps them).
 *          CIUIC_E_BUSY       what would be cut off is acquired.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT, CIUIC_E_FORKED
 * Threads  no other call that resizes or destroys the region may be under way.
 * Blocks   as ciuic_region_create(); shrinking as ciuic_region_destroy().
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_region_resize(ciuic_region *region, uint64_t size_bytes);

/*
 * Bring ranges onto the device and keep them there until they are released. Ranges may overlap and
 * be acquired many times; each acquire needs its release.
 *
 * count    of ranges, not 0.
 * access   an OR of ciuic_access.
 * stream   NULL: all ranges are on the device when the call returns.
 *
 * Returns  CIUIC_OK             the ranges are held.
 *          CIUIC_E_INVALID      no range, an empty one, a region of another session, no access.
 *          CIUIC_E_RANGE        a range leaves its region, or is not allocated.
 *          CIUIC_E_QUOTA        the ranges together are larger than the session's device memory.
 *          CIUIC_E_BUSY         a chunk is acquired 32768 times already.
 *          CIUIC_E_TIMED_OUT    so much is acquired elsewhere that no room was found within 60 s.
 *          CIUIC_E_DATA_LOST    a chunk's only copy is damaged.
 *          CIUIC_E_UNSUPPORTED  a stream on a device that has none.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_FORKED
 * Blocks   not at all when everything is on the device already: two atomic operations per chunk.
 *          Else until it is.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_acquire(ciuic_session *session, const ciuic_range *ranges,
                                     size_t count, unsigned access, ciuic_stream stream);

/*
 * End the use of ranges that were acquired, given as they were then.
 *
 * stream   NULL: the use has ended.
 *
 * Returns  CIUIC_OK.
 *          CIUIC_E_INVALID      as ciuic_acquire(); or a chunk was not acquired. Chunks before it
 *                               have been released.
 *          CIUIC_E_RANGE, CIUIC_E_UNSUPPORTED, CIUIC_E_FORKED  as ciuic_acquire().
 * Blocks   never.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_release(ciuic_session *session, const ciuic_range *ranges,
                                     size_t count, ciuic_stream stream);

/*
 * Bring in what there is room for; it may be moved out again before it is used.
 *
 * stream   NULL: start now.
 *
 * Returns  CIUIC_OK          transfers were started, or were not worth it.
 *          CIUIC_E_INVALID, CIUIC_E_RANGE, CIUIC_E_UNSUPPORTED, CIUIC_E_DISCONNECTED,
 *          CIUIC_E_TIMED_OUT, CIUIC_E_FORKED  as ciuic_acquire(); ranges before have been started.
 * Blocks   for one answer of the engine per range (microseconds), never for a transfer.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_prefetch(ciuic_session *session, const ciuic_range *ranges,
                                      size_t count, ciuic_stream stream);

/*
 * Say what will become of ranges.
 *
 * advice   a ciuic_advice. For CIUIC_ADVICE_DISCARD every range starts and ends at a chunk's
 *          border: nothing is widened where bytes are given up.
 *
 * Returns  CIUIC_OK.
 *          CIUIC_E_INVALID  as ciuic_acquire(); an unknown advice; a border inside a chunk.
 *          CIUIC_E_BUSY     CIUIC_ADVICE_DISCARD: a part is acquired; ranges before are done.
 *          CIUIC_E_RANGE, CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT, CIUIC_E_FORKED
 * Blocks   COLD until the ranges have left, DISCARD until moves of them have ended, WILLNEED as
 *          ciuic_prefetch().
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_advise(ciuic_session *session, const ciuic_range *ranges,
                                    size_t count, ciuic_advice advice);

/*
 * Allocate memory in whole chunks: a region without a handle, known by its address.
 *
 * size_bytes  not 0; widened to whole chunks. As many addresses again are kept for growth while
 *             they last.
 * memory      where the address is put; a multiple of the chunk, of 2 MiB at most.
 *
 * Returns and blocks as ciuic_region_create(). The memory reads as zero.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_alloc(ciuic_session *session, uint64_t size_bytes, void **memory);

/*
 * Free what ciuic_alloc() gave. NULL is allowed.
 *
 * Returns  CIUIC_OK; in a forked child for every address of the parent's session, too, where
 *                    there is nothing to free.
 *          CIUIC_E_INVALID  not the start of an allocation of this session.
 *          CIUIC_E_BUSY     a part of it is acquired.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT
 * Blocks   as ciuic_region_destroy().
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_free(ciuic_session *session, void *memory);

/*
 * Grow or shrink what ciuic_alloc() gave at its place, as ciuic_region_resize().
 *
 * Returns  as ciuic_region_resize(); CIUIC_E_INVALID also when `memory` is not the start of an
 *          allocation of this session.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_alloc_resize(ciuic_session *session, void *memory,
                                          uint64_t size_bytes);

/*
 * 1 when the address lies in the session's address space, allocated or not, else 0. Answers the
 * same in a forked child. Since ABI 1.
 */
CIUIC_API int ciuic_owns(const ciuic_session *session, const void *address);

/*
 * The size in bytes of what ciuic_alloc() gave, a multiple of the chunk; 0 when `memory` is not the
 * start of an allocation. Answers the same in a forked child, for its parent's allocations at the
 * fork. Since ABI 1.
 */
CIUIC_API uint64_t ciuic_usable_size(ciuic_session *session, const void *memory);

/*
 * Fill `statistics` as far as its struct_size goes.
 *
 * Returns  CIUIC_OK.
 *          CIUIC_E_INVALID  struct_size is too small to hold itself.
 *          CIUIC_E_DISCONNECTED, CIUIC_E_TIMED_OUT, CIUIC_E_FORKED
 * Blocks   for one answer of the engine (microseconds). Looks at every chunk allocated so far.
 * Since    ABI 1.
 */
CIUIC_API ciuic_status ciuic_stats(ciuic_session *session, ciuic_statistics *statistics);

/* What a status means, in a few words; never NULL. Since ABI 1. */
CIUIC_API const char *ciuic_status_text(ciuic_status status);

/*
 * One line on the last call of this thread that did not return CIUIC_OK: what was refused, why,
 * and what to do where there is something. "" before the first. Valid until the thread's next
 * failing call. Since ABI 1.
 */
CIUIC_API const char *ciuic_last_error_text(void);

/* The ABI of the library in use, at least the CIUIC_ABI_VERSION built with. Since ABI 1. */
CIUIC_API uint32_t ciuic_version(void);

#ifdef __cplusplus
}
#endif

#endif /* CIUIC_VMM_H */
