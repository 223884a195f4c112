// SPDX-License-Identifier: Apache-2.0
#include "store/swap_store.hpp"

#include "base/random.hpp"
#include "base/units.hpp"
#include "store/tag.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_io.hpp"
#include "tests/support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t chunk_bytes = 64 * KiB;
constexpr uint64_t block_bytes = 16 * KiB;
constexpr uint64_t blocks = chunk_bytes / block_bytes;
constexpr uint32_t chunks = 8;
constexpr uint32_t depth = 4;
constexpr uint64_t granule = limits::granule_bytes;
using Fault = IoFault::Kind;

std::vector<std::byte> random_bytes(uint64_t size_bytes, uint64_t seed) {
    Random random(seed);
    std::vector<std::byte> bytes(size_bytes);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    return bytes;
}

class SwapStoreTest : public testing::Test {
protected:
    // Runs until nothing is in flight; the statuses by token.
    std::map<uint64_t, Status> finish_all() {
        std::map<uint64_t, Status> ended;
        StoreCompletion completion;
        while (store.poll({&completion, 1}) == 1)
            EXPECT_TRUE(ended.emplace(completion.token, completion.status).second);
        return ended;
    }

    Status write(Extent extent, std::span<const std::byte> data, uint64_t offset_bytes = 0) {
        EXPECT_TRUE(store.write(extent, offset_bytes, data, 1));
        return finish_all().at(1);
    }
    Status read(Extent extent, std::span<std::byte> data, uint64_t offset_bytes = 0) {
        EXPECT_TRUE(store.read(extent, offset_bytes, data, 2));
        return finish_all().at(2);
    }

    // The next request meets this fault.
    void plan(Fault kind, uint64_t value = 0, uint64_t requests_ahead = 0) {
        io.faults[io.requests.size() + requests_ahead] = {kind, value};
    }

    MemoryIo io{chunks * chunk_bytes, depth};
    ManualClock clock;
    SwapStore store{io, clock,
                    StoreOptions{.capacity_bytes = chunks * chunk_bytes,
                                 .chunk_bytes = chunk_bytes,
                                 .block_bytes = block_bytes}};
    const std::vector<std::byte> chunk = random_bytes(chunk_bytes, 1);
    std::vector<std::byte> out = std::vector<std::byte>(chunk_bytes);
};

// Goal: bytes come back whole and in parts, from their own place. Method: every place filled with
// its own bytes; then whole reads, and each block by itself.
TEST_F(SwapStoreTest, KeepsEveryChunkInItsPlace) {
    std::vector<Extent> extents;
    while (const auto extent = store.allocate()) extents.push_back(*extent);
    ASSERT_EQ(extents.size(), store.chunks_max());
    for (size_t index = 0; index < extents.size(); ++index)
        ASSERT_TRUE(write(extents[index], random_bytes(chunk_bytes, index)));
    for (size_t index = 0; index < extents.size(); ++index) {
        const std::vector<std::byte> wanted = random_bytes(chunk_bytes, index);
        ASSERT_TRUE(read(extents[index], out));
        EXPECT_EQ(out, wanted);
        for (uint64_t block = blocks; block-- > 0;) {
            const auto part = std::span(out).subspan(block * block_bytes, block_bytes);
            std::fill(part.begin(), part.end(), std::byte{0});
            ASSERT_TRUE(read(extents[index], part, block * block_bytes));
        }
        EXPECT_EQ(out, wanted);
    }
    EXPECT_EQ(store.stats().bytes_written, chunks * chunk_bytes);
    EXPECT_EQ(store.stats().bytes_read, 2 * chunks * chunk_bytes);
    EXPECT_EQ(store.stats().retries, 0u);
}

// The engine's part of integrity, in small: hash, bind, keep; later hash, bind, compare.
class TaggedStoreTest : public SwapStoreTest {
protected:
    TagBinding binding_of(uint32_t index, Extent place) const {
        return {.realm = 7, .session = 3, .chunk = index, .generation = 5, .place = place};
    }
    void write_tagged(uint32_t index, Extent place, std::span<const std::byte> data) {
        std::vector<uint64_t> hashes(blocks);
        hash_blocks(data, block_bytes, hashes);
        for (uint32_t block = 0; block < blocks; ++block)
            store.tags(place)[block] = bind_tag(binding_of(index, place), block, hashes[block]);
        ASSERT_TRUE(write(place, data));
    }
    // Which blocks the tags refuse.
    std::set<uint32_t> refused(const TagBinding& binding) {
        std::vector<uint64_t> hashes(blocks);
        EXPECT_TRUE(read(binding.place, out));
        hash_blocks(out, block_bytes, hashes);
        std::set<uint32_t> refused;
        for (uint32_t block = 0; block < blocks; ++block)
            if (store.tags(binding.place)[block] != bind_tag(binding, block, hashes[block]))
                refused.insert(block);
        return refused;
    }
    const std::set<uint32_t> none = {};
    const std::set<uint32_t> all = {0, 1, 2, 3};
};

// Goal: no corruption is ever returned as data, and no intact block is refused. Method: flip one
// byte of each block in turn, first, last and inside; then the byte back.
TEST_F(TaggedStoreTest, RefusesEveryCorruptedBlock) {
    ASSERT_TRUE(store.allocate());  // so that the place is not the first
    const Extent place = *store.allocate();
    write_tagged(0, place, chunk);
    for (uint32_t block = 0; block < blocks; ++block)
        for (const uint64_t inside : {uint64_t{0}, block_bytes / 2 + 1, block_bytes - 1}) {
            std::byte& byte = io.bytes[place.offset_bytes() + block * block_bytes + inside];
            byte ^= std::byte{0x10};
            EXPECT_EQ(refused(binding_of(0, place)), std::set<uint32_t>{block}) << inside;
            byte ^= std::byte{0x10};
            EXPECT_EQ(refused(binding_of(0, place)), none);
        }
}

// Goal: intact bytes that are the wrong ones are refused too. Method: each lie a disk or a bug can
// tell: a write that landed elsewhere (old bytes are read), a write on top of a neighbour, half a
// write, an older version, blocks swapped, another owner.
TEST_F(TaggedStoreTest, RefusesIntactBytesThatAreTheWrongOnes) {
    const Extent first = *store.allocate();
    const Extent second = *store.allocate();
    const std::vector<std::byte> newer = random_bytes(chunk_bytes, 2);
    write_tagged(0, first, chunk);
    write_tagged(1, second, chunk);
    EXPECT_EQ(refused(binding_of(0, first)), none);

    plan(Fault::misdirect, chunk_bytes);
    write_tagged(0, first, newer);
    EXPECT_EQ(refused(binding_of(0, first)), all) << "old bytes under new tags";
    EXPECT_EQ(refused(binding_of(1, second)), all) << "overwritten by a neighbour";

    plan(Fault::torn, block_bytes + granule);
    write_tagged(0, first, newer);
    EXPECT_EQ(refused(binding_of(0, first)), (std::set<uint32_t>{1, 2, 3}));

    write_tagged(0, first, newer);
    EXPECT_EQ(refused(binding_of(0, first)), none);
    TagBinding stale = binding_of(0, first);
    --stale.generation;
    EXPECT_EQ(refused(stale), all);
    TagBinding foreign = binding_of(0, first);
    ++foreign.realm;
    EXPECT_EQ(refused(foreign), all);

    // Blocks 0 and 2 change places, tags with them, as a bug in a table would do it.
    std::byte* const bytes = io.bytes.data() + first.offset_bytes();
    std::swap_ranges(bytes, bytes + block_bytes, bytes + 2 * block_bytes);
    std::swap(store.tags(first)[0], store.tags(first)[2]);
    EXPECT_EQ(refused(binding_of(0, first)), (std::set<uint32_t>{0, 2}));
}

// Goal: tags of different places never share memory. Method: write every tag of every place, then
// read them all.
TEST_F(SwapStoreTest, TagsOfPlacesAreApart) {
    std::vector<Extent> extents;
    while (const auto extent = store.allocate()) extents.push_back(*extent);
    for (const Extent extent : extents)
        for (uint64_t block = 0; block < blocks; ++block)
            store.tags(extent)[block] = extent.offset_bytes() + block;
    for (const Extent extent : extents) {
        ASSERT_EQ(store.tags(extent).size(), blocks);
        for (uint64_t block = 0; block < blocks; ++block)
            EXPECT_EQ(store.tags(extent)[block], extent.offset_bytes() + block);
    }
}

// Goal: a short transfer goes on where it ended, at a granule, and is one completion. Method: cut
// at every kind of length, in both directions; count what the disk was asked for.
TEST_F(SwapStoreTest, GoesOnAfterShortTransfers) {
    const Extent extent = *store.allocate();
    for (const uint64_t moved : {granule, granule + 512, 3 * granule - 1, chunk_bytes - 1}) {
        const uint64_t resumed_at = moved / granule * granule;
        plan(Fault::short_transfer, moved);
        ASSERT_TRUE(write(extent, chunk)) << moved;
        EXPECT_EQ(io.requests.back().offset_bytes, extent.offset_bytes() + resumed_at);
        EXPECT_EQ(io.requests.back().length_bytes, chunk_bytes - resumed_at);
        plan(Fault::short_transfer, moved);
        std::fill(out.begin(), out.end(), std::byte{0});
        ASSERT_TRUE(read(extent, out)) << moved;
        EXPECT_EQ(out, chunk);
    }
    EXPECT_EQ(store.stats().retries, 8u);
    EXPECT_EQ(store.stats().bytes_written, 4 * chunk_bytes);
    EXPECT_EQ(store.stats().failures, 0u);
}

// Goal: a disk that moves one granule at a time is slow, not broken; one that never completes even
// that does not keep us for ever. Method: both.
TEST_F(SwapStoreTest, ShortTransfersEndWithProgressOrWithAnError) {
    const Extent extent = *store.allocate();
    for (uint64_t request = 0; request < chunk_bytes / granule - 1; ++request)
        plan(Fault::short_transfer, granule, request);
    EXPECT_TRUE(write(extent, chunk));
    ASSERT_TRUE(read(extent, out));
    EXPECT_EQ(out, chunk);

    for (uint64_t request = 0; request < 100; ++request)
        plan(Fault::short_transfer, granule - 1, request);
    const uint64_t before = io.requests.size();
    EXPECT_EQ(read(extent, out).error().code, Errc::io);
    EXPECT_EQ(io.requests.size() - before, 1u + limits::io_retries_max);
}

// Goal: EIO is repeated as often as promised and no more; other refusals at once final. Method:
// one failure fewer than the limit, then the limit, then an error that repeating cannot cure.
TEST_F(SwapStoreTest, RepeatsAfterEio) {
    const Extent extent = *store.allocate();
    for (uint64_t request = 0; request < limits::io_retries_max; ++request)
        plan(Fault::fail, EIO, request);
    EXPECT_TRUE(write(extent, chunk));
    EXPECT_EQ(io.requests.size(), 1u + limits::io_retries_max);
    EXPECT_EQ(store.stats().retries, limits::io_retries_max);
    ASSERT_TRUE(read(extent, out));
    EXPECT_EQ(out, chunk);

    const uint64_t before = io.requests.size();
    for (uint64_t request = 0; request <= limits::io_retries_max; ++request)
        plan(Fault::fail, EIO, request);
    const Status failed = read(extent, out);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, Errc::io);
    EXPECT_EQ(failed.error().os_error, EIO);
    EXPECT_EQ(io.requests.size() - before, 1u + limits::io_retries_max);
    EXPECT_EQ(store.stats().failures, 1u);

    plan(Fault::fail, ENOSPC);
    EXPECT_EQ(write(extent, chunk).error().os_error, ENOSPC);
    EXPECT_EQ(io.requests.size() - before, 2u + limits::io_retries_max);
    EXPECT_EQ(store.stats().failures, 2u);
}

// Goal: a repeat goes on from where a short transfer had come to. Method: short, then EIO, then
// success; the last request covers the rest only.
TEST_F(SwapStoreTest, RepeatKeepsWhatWasDone) {
    const Extent extent = *store.allocate();
    plan(Fault::short_transfer, 5 * granule, 0);
    plan(Fault::fail, EIO, 1);
    ASSERT_TRUE(write(extent, chunk));
    EXPECT_EQ(io.requests.back().offset_bytes, extent.offset_bytes() + 5 * granule);
    ASSERT_TRUE(read(extent, out));
    EXPECT_EQ(out, chunk);
}

// Goal: a result of zero bytes is an error, not an endless loop and not data. Method: one.
TEST_F(SwapStoreTest, ZeroBytesAreAnError) {
    const Extent extent = *store.allocate();
    plan(Fault::short_transfer, 0);
    EXPECT_EQ(read(extent, out).error().code, Errc::io);
    EXPECT_EQ(io.requests.size(), 1u);
}

// Goal: a late request is cancelled once and counted once, keeps its buffer, slot and place until
// its result is there, and a good result is still good. Method: hold a read past its deadline,
// poll at length, then let the disk answer.
TEST_F(SwapStoreTest, LateRequestKeepsItsBuffer) {
    const Extent extent = *store.allocate();
    ASSERT_TRUE(write(extent, chunk));
    plan(Fault::hold);
    ASSERT_TRUE(store.read(extent, 0, out, 9));
    clock.advance(limits::io_deadline - Nanos{1});
    EXPECT_TRUE(finish_all().empty());
    EXPECT_EQ(store.stats().late, 0u);
    for (int poll = 0; poll < 10; ++poll) {
        clock.advance(limits::io_deadline);
        EXPECT_TRUE(finish_all().empty());
    }
    EXPECT_EQ(store.stats().late, 1u);
    ASSERT_EQ(io.cancelled.size(), 1u);
    EXPECT_EQ(store.in_flight(), 1u);

    io.release(io.cancelled[0]);
    EXPECT_TRUE(finish_all().at(9));
    EXPECT_EQ(out, chunk);
    EXPECT_EQ(store.in_flight(), 0u);
}

// Goal: a late request that did end early is a failure, and is not repeated. Method: the disk
// honours the cancel; another time it answers EIO after the deadline.
TEST_F(SwapStoreTest, LateRequestIsNotRepeated) {
    const Extent extent = *store.allocate();
    plan(Fault::hold, 1);
    ASSERT_TRUE(store.read(extent, 0, out, 9));
    clock.advance(limits::io_deadline);
    StoreCompletion completion;
    ASSERT_EQ(store.poll({&completion, 1}), 1u);
    EXPECT_EQ(completion.token, 9u);
    EXPECT_EQ(completion.status.error().code, Errc::io);
    EXPECT_EQ(completion.status.error().os_error, ECANCELED);

    plan(Fault::fail, EIO);
    ASSERT_TRUE(store.read(extent, 0, out, 10));
    clock.advance(limits::io_deadline);
    EXPECT_EQ(finish_all().at(10).error().os_error, EIO);
    EXPECT_EQ(io.requests.size(), 2u);
    EXPECT_EQ(store.stats().late, 2u);
}

// Goal: a place is never handed on while a request could still write to it. Method: release with a
// write held back.
TEST_F(SwapStoreTest, PlaceWithARequestInFlightIsNotReleased) {
    const Extent extent = *store.allocate();
    plan(Fault::hold);
    ASSERT_TRUE(store.write(extent, 0, chunk, 1));
    EXPECT_DEATH(store.release(extent), "broken invariant");
    io.release(io.requests.back().token);
    EXPECT_TRUE(finish_all().at(1));
    store.release(extent);
    EXPECT_DEATH(store.release(extent), "broken invariant");
}

// Goal: a quarantined place is gone for good, and promises shrink with it. Method: take and give
// back many times more often than there are places.
TEST_F(SwapStoreTest, QuarantinedPlaceIsNeverHandedOutAgain) {
    EXPECT_EQ(store.chunks_max(), chunks);
    const Extent bad = *store.allocate();
    store.quarantine(bad);
    EXPECT_EQ(store.chunks_max(), chunks - 1);
    EXPECT_EQ(store.stats().places_quarantined, 1u);
    for (int round = 0; round < 10; ++round) {
        std::vector<Extent> extents;
        while (const auto extent = store.allocate()) extents.push_back(*extent);
        EXPECT_EQ(extents.size(), chunks - 1);
        EXPECT_EQ(store.stats().places_used, chunks - 1);
        for (const Extent extent : extents) {
            EXPECT_FALSE(extent == bad);
            store.release(extent);
        }
        EXPECT_EQ(store.stats().places_used, 0u);
    }
}

// Goal: the bound on requests is the disk's, and a full store says busy and loses nothing. Method:
// fill it with held requests, one more; end one, one more again.
TEST_F(SwapStoreTest, BusyWhenAllRequestsAreInFlight) {
    const Extent extent = *store.allocate();
    std::vector<std::vector<std::byte>> buffers(depth + 1, std::vector<std::byte>(granule));
    for (uint64_t token = 0; token < depth; ++token) {
        plan(Fault::hold);
        ASSERT_TRUE(store.read(extent, 0, buffers[token], 100 + token));
    }
    EXPECT_EQ(store.in_flight(), depth);
    EXPECT_EQ(store.read(extent, 0, buffers[depth], 200).error().code, Errc::busy);
    io.release(io.requests[2].token);
    EXPECT_TRUE(finish_all().at(102));
    EXPECT_TRUE(store.read(extent, 0, buffers[depth], 200));
    EXPECT_TRUE(finish_all().at(200));
}

// Goal: completions come in the order of the results, in batches of any size. Method: held requests
// let go out of order, polled two at a time.
TEST_F(SwapStoreTest, CompletionsComeOldestFirst) {
    const Extent extent = *store.allocate();
    std::vector<std::vector<std::byte>> buffers(depth, std::vector<std::byte>(granule));
    for (uint64_t token = 0; token < depth; ++token) {
        plan(Fault::hold);
        ASSERT_TRUE(store.read(extent, 0, buffers[token], token));
    }
    for (const size_t request : {2u, 0u, 3u, 1u}) io.release(io.requests[request].token);
    std::vector<uint64_t> order;
    std::array<StoreCompletion, 2> batch;
    while (const size_t count = store.poll(batch))
        for (size_t index = 0; index < count; ++index) order.push_back(batch[index].token);
    EXPECT_EQ(order, (std::vector<uint64_t>{2, 0, 3, 1}));
}

// Goal: whatever curable faults do, chunks read back as written. Method: random writes, reads and
// releases with random short transfers and EIOs, several requests at once, against a shadow.
TEST_F(SwapStoreTest, AgreesWithAShadowUnderCurableFaults) {
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Random random(seed);
    struct Kept {
        Extent extent;
        uint64_t content;
    };
    std::vector<Kept> kept;
    for (int step = 0; step < 2000; ++step) {
        for (uint64_t ahead = 0; ahead < 3; ++ahead) {
            if (random.chance(1, 4)) plan(Fault::short_transfer, 1 + random.below(8000), ahead);
            if (random.chance(1, 8)) plan(Fault::fail, random.chance(1, 2) ? EIO : EAGAIN, ahead);
        }
        io.faults.erase(io.requests.size() + 3);  // the fourth repeat always works
        const uint64_t what = random.below(3);
        if (what == 0 && kept.size() < chunks) {
            const Kept fresh{*store.allocate(), random.next()};
            ASSERT_TRUE(write(fresh.extent, random_bytes(chunk_bytes, fresh.content)));
            kept.push_back(fresh);
        } else if (what == 1 && !kept.empty()) {
            const Kept& one = kept[random.below(kept.size())];
            ASSERT_TRUE(read(one.extent, out));
            ASSERT_EQ(out, random_bytes(chunk_bytes, one.content)) << step;
        } else if (!kept.empty()) {
            std::swap(kept[random.below(kept.size())], kept.back());
            store.release(kept.back().extent);
            kept.pop_back();
        }
    }
    EXPECT_EQ(store.stats().failures, 0u);
}

}  // namespace
}  // namespace ciuic::test
