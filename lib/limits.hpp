// SPDX-License-Identifier: Apache-2.0
//
// Every bound of the system, with its unit, its reason and how it relates to its neighbours.
#pragma once

#include "base/units.hpp"

namespace ciuic::limits {

// Chunks: the unit of residency. 2 MiB is what one page-table entry maps on x86-64 and aarch64;
// a public chunk is never smaller than one I/O that a disk serves at full rate.
inline constexpr uint64_t chunk_bytes_min = 64 * KiB;
inline constexpr uint64_t chunk_bytes_max = 64 * MiB;
inline constexpr uint64_t chunk_bytes_default = 2 * MiB;

// Blocks: the unit of integrity tags and of the part of a chunk that is read first.
// 64 KiB reads in 74 us where 2 MiB takes 717 us (measured, fio, huge-page buffers, virtio disk).
inline constexpr uint64_t block_bytes_max = 64 * KiB;
inline constexpr uint32_t blocks_per_chunk_max = chunk_bytes_max / block_bytes_max;

// Granules: the unit of store places and of direct I/O alignment. Places are 32-bit granule
// numbers: 2^32 x 4 KiB = 16 TiB of swap file.
inline constexpr uint64_t granule_bytes = 4 * KiB;
inline constexpr uint64_t store_bytes_max = (uint64_t{1} << 32) * granule_bytes;

// One session's table: 2^20 chunks x 64 B = 64 MiB of records, sparse until used; 2 TiB of
// address space at 2 MiB.
inline constexpr uint32_t session_chunks_max = 1u << 20;
inline constexpr uint32_t sessions_max = 1024;
inline constexpr uint32_t regions_per_session_max = 1u << 16;

// Forked children that read their parent's memory: of one session, in all, and places at which one
// of them waits. Each child costs the daemon three descriptors and a few KiB.
inline constexpr uint32_t readers_per_session_max = 256;
inline constexpr uint32_t readers_max = sessions_max;
inline constexpr uint32_t reader_waits_max = 256;
static_assert(readers_per_session_max <= readers_max);

// Ancestors whose memory a process still knows; one generation more is told that it has none.
inline constexpr uint32_t ancestors_max = 16;

// The fewest chunks of device memory: an instruction can touch two chunks at each of source and
// destination, the kernel copies between two more, and two are on their way in or out.
inline constexpr uint32_t frames_min = 8;
// 2^26 frames x 2 MiB = 128 TiB: more than any machine has.
inline constexpr uint32_t frames_max = 1u << 26;

// Blocks of one chunk that are brought in alone, at most: an eighth of 2 MiB costs as many faults
// and disk requests as are worth less than the rest of the chunk in one.
inline constexpr uint32_t pieces_per_chunk_max = 8;

// A sparse chunk's blocks are bits of a word.
inline constexpr uint32_t sparse_blocks_max = 32;
static_assert(chunk_bytes_default / block_bytes_max <= sparse_blocks_max);

// Buffers that are read into while room is made, of a daemon: a huge page, 16 blocks and 2 slices.
inline constexpr uint64_t bounce_bytes = 2 * MiB;

// Their share of a budget, and the fewest that a session gets: threads that go back and forth
// between a few lone places each keep theirs.
inline constexpr uint64_t pieces_budget_divisor = 16;
inline constexpr uint32_t pieces_min = 32;
// Memory that only single blocks can use is lost to everything else.
inline constexpr uint64_t pieces_bytes_max = 32 * MiB;

// Moves in flight: more than the I/O depth, because a move also waits for workers.
inline constexpr uint32_t moves_max = 64;
inline constexpr uint32_t io_depth_max = 32;
static_assert(io_depth_max <= moves_max);
// What work ahead of need and requests leave to what the program waits for.
inline constexpr uint32_t moves_for_demand = moves_max / 4;
// Workers' jobs: at most one per move.
inline constexpr uint32_t jobs_max = moves_max;

// The largest part of a chunk that the engine's thread hashes itself, as it comes: 512 KiB take
// 30 us from memory, a worker is there and back in 100-200 us. Chunks that are read as one, ahead
// of need, are larger and go to a worker.
inline constexpr uint64_t hash_here_bytes_max = 512 * KiB;

// Shares of the disk, in the units of cgroup v2's io.weight.
inline constexpr uint32_t weight_default = 100;
inline constexpr uint32_t weight_max = 10'000;
// What is read at once while several sessions want the disk: a chunk of 2 MiB keeps it busy until
// the next is submitted, and whoever comes next waits behind no more than that.
inline constexpr uint64_t contended_read_bytes = 2 * MiB;
// Parts of one chunk that are at the disk at once meanwhile, of the four in which it is read: who
// comes next waits behind 1 MiB, and the disk is busy while one of them is on its way.
inline constexpr int contended_parts = 2;
// What a session can owe the others for writes that made room.
inline constexpr uint64_t owed_bytes_max = 64 * MiB;
// A session that read a moment ago counts as wanting the disk.
inline constexpr Nanos contention_memory{100'000'000};
// Evictions under way while several sessions want the disk, and how many of them because a client
// asked for it: a write of 2 MiB that is at the disk takes it for a millisecond, too.
inline constexpr uint32_t contended_evictions = 4;
inline constexpr uint32_t contended_requested_evictions = 2;

// A turn of the engine, for all clients together: deaths are noticed and whoever can be served at
// once is between two of them. Chunks whose pages are made (2 MiB of 4 KiB pages: 1.1-1.5 ms), and
// what else takes long, in what giving up a chunk without a frame costs: the pages of two chunks
// are given back (0.6-0.8 ms each), or eight are shown (0.15 ms), or some of both. Each part of a
// turn may do one such thing in any case, so that none starves another.
inline constexpr uint32_t opens_per_turn = 1;
inline constexpr uint32_t closes_per_turn = 2;
inline constexpr uint32_t cost_of_show = 4;
inline constexpr uint32_t cost_of_close = 16;
inline constexpr uint32_t work_per_turn = closes_per_turn * cost_of_close;

// Chunks that are only looked at for requests in a turn: 0.1 ms where the records are in no cache.
// Shared by the sessions that wait; each may look at so many in any case.
inline constexpr uint32_t looks_per_turn = 4096;
inline constexpr uint32_t looks_min = 64;

// Frames that are kept free by default, at most: as many as evictions that are started at once.
// More would be memory that holds nothing.
inline constexpr uint32_t free_frames_max = 16;
inline constexpr uint32_t prefetch_chunks_max = 8;  // per stream; 4 in flight fill the disk
inline constexpr uint32_t streams_per_session = 4;
inline constexpr uint32_t evictions_per_plan_max = 16;
// Victims of each session that are followed, of two rules as many: 128 x 12 B are looked through
// at each miss, in less than 0.1 us beside a read of 74 us or more.
inline constexpr uint32_t victims_followed = 128;
// Places in a session's past that are followed at once: as many threads with an order of their own
// are told apart. And how far ahead of such a place the next use may lie: parts that are left out
// now and then are shorter, and chance finds a chunk among so many rarely.
inline constexpr uint32_t sequence_cursors = 4;
inline constexpr uint32_t sequence_window = 16;
// How far along an order chunks are looked for that are not here: more would not be in time to
// matter, and what is known of the order is less sure.
inline constexpr uint32_t order_reach = 64;
// Uses of a session that are remembered, at most: 1 MiB, and a period of 100,000 chunks fits.
inline constexpr uint64_t order_uses_max = 1u << 17;
// How deep the newest arrivals are looked through for one that may go: past those spared, what is
// on its way out, and what was prefetched by all streams and a large request.
inline constexpr uint32_t arrivals_looked_at = 256;

// Requests of one session that wait for chunks.
inline constexpr uint32_t waiters_per_session_max = 64;

// Declared uses that the engine has not read yet, of one session: 4096 ranges x 8 B. A program that
// declares a layer's matrices one by one, 20 us each, is 80 ms ahead then.
inline constexpr uint32_t access_log_entries = 4096;
static_assert(is_power_of_two(access_log_entries));
// Of these, chunks that are taken in in one turn: below 2 us each.
inline constexpr uint32_t declared_uses_per_turn = 64;
// Chunks that are on their way ahead of declared uses at once: the link or disk is at work on one
// while the next is made ready, and a miss waits behind no more than these.
inline constexpr uint32_t fetches_ahead_at_once = 4;

// Shared-memory rings, entries; a power of two.
inline constexpr uint32_t ring_entries = 256;
static_assert(is_power_of_two(ring_entries) && ring_entries >= waiters_per_session_max);

// How long an engine's thread looks for its next event before it sleeps, at most: a 64 KiB read
// (74-130 us), a hash of 2 MiB (65 us) and a program's next touch come within it, a 2 MiB read
// (717 us) does not.
inline constexpr Nanos poll_shortest{25'000};
inline constexpr Nanos poll_longest{200'000};

// Deadlines. None is reached in normal work; each turns an endless wait into a loud failure.
inline constexpr Nanos io_deadline{30'000'000'000};        // one disk request
inline constexpr Nanos frame_deadline{60'000'000'000};     // a fault that waits for a frame
inline constexpr Nanos handshake_deadline{5'000'000'000};  // a client that connects
inline constexpr Nanos fence_deadline{60'000'000'000};     // I/O of a dead incarnation
inline constexpr Nanos request_deadline{120'000'000'000};  // a client's request, by the client
static_assert(request_deadline > frame_deadline && frame_deadline > io_deadline);

// Traces: what a file may hold, so that a reader's memory and time are bounded before it is opened.
// 2^26 chunks are 128 TiB at 2 MiB, or 256 GiB at a disk's 4 KiB; 2^28 uses, each chunk of a run
// counted, take 1 GiB where they are all looked at.
inline constexpr uint64_t trace_chunk_bytes_min = 512;  // a disk's sector
inline constexpr uint32_t trace_regions_max = regions_per_session_max;
inline constexpr uint32_t trace_chunks_max = 1u << 26;
inline constexpr uint32_t trace_uses_max = 1u << 28;
inline constexpr uint32_t trace_phases_max = 1u << 20;
inline constexpr uint32_t trace_threads_max = 1u << 16;
inline constexpr uint32_t trace_name_bytes_max = 255;
// Uses that a recording daemon has seen and not written yet: 2^16 x 32 B = 2 MiB hold what 10 us a
// miss bring in 0.65 s, longer than a disk takes to write 256 KiB of records.
inline constexpr uint32_t record_ring_entries = 1u << 16;
static_assert(is_power_of_two(record_ring_entries));

inline constexpr uint32_t io_retries_max = 3;  // per request, after EIO or a failed tag

}  // namespace ciuic::limits
