// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/device_contract.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

namespace ciuic::test {

void DeviceContract::SetUp() {
    rig_ = GetParam().make();
    if (const std::string refusal = rig_->refusal(); !refusal.empty()) GTEST_SKIP() << refusal;
}

std::span<std::byte> DeviceContract::open(uint32_t index) {
    Result<std::span<std::byte>> opened = device().open(chunk(index), frame(index));
    EXPECT_TRUE(opened.has_value()) << opened.error().what;
    return opened.has_value() ? *opened : std::span<std::byte>();
}

std::span<std::byte> DeviceContract::open_filled(uint32_t index) {
    const std::span<std::byte> bytes = open(index);
    for (uint64_t offset = 0; offset < bytes.size(); offset += sizeof(uint64_t))
        put_word(bytes, offset, word_of(index, offset));
    return bytes;
}

std::span<std::byte> DeviceContract::conceal(uint32_t index) {
    Result<std::span<std::byte>> concealed = device().conceal(chunk(index), frame(index));
    EXPECT_TRUE(concealed.has_value()) << concealed.error().what;
    return concealed.has_value() ? *concealed : std::span<std::byte>();
}

void DeviceContract::reveal(uint32_t index, bool writable) {
    const Status revealed =
        device().reveal(chunk(index), frame(index), 0, traits().chunk_bytes, writable);
    EXPECT_TRUE(revealed.has_value()) << revealed.error().what;
}

void DeviceContract::show(uint32_t index, bool writable) {
    open_filled(index);
    reveal(index, writable);
}

void DeviceContract::load(uint32_t worker, uint32_t index, uint64_t offset_bytes) {
    rig_->start(worker, {.kind = Access::Kind::load, .offset_bytes = address(index, offset_bytes)});
}

void DeviceContract::store(uint32_t worker, uint32_t index, uint64_t offset_bytes, uint64_t value) {
    rig_->start(worker, {.kind = Access::Kind::store,
                         .offset_bytes = address(index, offset_bytes),
                         .value = value});
}

Outcome DeviceContract::finish(uint32_t worker) {
    const std::optional<Outcome> outcome = rig_->outcome(worker, patience);
    EXPECT_TRUE(outcome.has_value()) << "worker " << worker << " still waits";
    return outcome.value_or(Outcome{});
}

DeviceEvent DeviceContract::next_event() {
    DeviceEvent event;
    while (device().drain({&event, 1}) == 0) {
        if (rig_->wait_event(patience)) continue;
        ADD_FAILURE() << "no fault was reported";
        break;
    }
    return event;
}

bool DeviceContract::no_event() {
    DeviceEvent event;
    return device().drain({&event, 1}) == 0;
}

void DeviceContract::wait_counting(uint32_t worker) {
    MonotonicClock clock;
    const Nanos deadline = clock.now() + patience;
    const uint64_t before = rig_->counted(worker);
    while (rig_->counted(worker) == before) {
        ASSERT_LT(clock.now(), deadline) << "worker " << worker << " does not count";
        // A fault that was answered while it was on its way to be waited for is answered again, as
        // the engine does.
        DeviceEvent event;
        if (device().drain({&event, 1}) == 1)
            serve(event);
        else
            std::this_thread::yield();
    }
}

// A fault at a shown chunk.
void DeviceContract::serve(const DeviceEvent& event) {
    const uint32_t index = event.chunk.chunk.value;
    if (event.kind == DeviceEventKind::missing)
        reveal(index, true);
    else
        EXPECT_TRUE(device().allow_write(event.chunk, frame(index)).has_value());
}

Outcome DeviceContract::finish_serving(uint32_t worker, uint32_t index) {
    std::optional<Outcome> outcome;
    while (!(outcome = rig_->outcome(worker, Nanos{0}))) {
        DeviceEvent event;
        if (!rig_->wait_event(Nanos{1'000'000})) continue;
        while (device().drain({&event, 1}) == 1) {
            EXPECT_EQ(event.chunk, chunk(index));
            serve(event);
        }
    }
    return *outcome;
}

// Goal: a touch of what is not shown is reported once, with its place, and waits until the chunk
// is revealed, not merely opened. Method: one load, observed at each step.
TEST_P(DeviceContract, TouchWaitsUntilRevealed) {
    const uint64_t offset = traits().chunk_bytes / 2 + 40;
    load(0, 3, offset);
    const DeviceEvent event = next_event();
    EXPECT_EQ(event.kind, DeviceEventKind::missing);
    EXPECT_FALSE(event.is_write);
    EXPECT_EQ(event.chunk, chunk(3));
    EXPECT_EQ(event.offset_bytes, offset);
    EXPECT_TRUE(waits(0));
    open_filled(3);
    EXPECT_TRUE(waits(0));
    EXPECT_TRUE(no_event());
    reveal(3, false);
    EXPECT_EQ(finish(0).value, word_of(3, offset));
    EXPECT_TRUE(no_event());
}

// Goal: the program sees exactly the bytes of the frame, and the engine those of the program.
// Method: two chunks filled differently, read at both ends and in the middle; then words written
// by the program, read back through conceal().
TEST_P(DeviceContract, BytesAreTheSameOnBothSides) {
    const uint64_t last = traits().chunk_bytes - sizeof(uint64_t);
    for (const uint32_t index : {0u, DeviceRig::chunks - 1}) {
        show(index, true);
        for (const uint64_t offset : {uint64_t{0}, traits().chunk_bytes / 2, last}) {
            load(0, index, offset);
            EXPECT_EQ(finish(0).value, word_of(index, offset));
            store(0, index, offset, ~word_of(index, offset));
            finish_serving(0, index);
        }
        const std::span<const std::byte> bytes = conceal(index);
        for (uint64_t offset = 0; offset < bytes.size(); offset += sizeof(uint64_t)) {
            const bool written = offset == 0 || offset == bytes.size() / 2 || offset == last;
            ASSERT_EQ(word_at(bytes, offset),
                      written ? ~word_of(index, offset) : word_of(index, offset));
        }
        close(index);
    }
}

// Goal: where the device says so, a chunk never opens with an older chunk's bytes. Method: the
// same frame used by one chunk, then by itself and by another.
TEST_P(DeviceContract, OpensZeroedIfItSaysSo) {
    if (!traits().opens_zeroed) GTEST_SKIP() << "the device does not zero";
    for (const uint32_t index : {0u, 0u, DeviceRig::frames}) {
        const std::span<const std::byte> bytes = open(index);
        EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                                [](std::byte byte) { return byte == std::byte{0}; }));
        close(index);
        show(index, true);
        close(index);
    }
}

// Goal: the first write to a chunk shown read-only is a write fault if and only if the device
// sees writes. Method: load, store, and a second store after writing was allowed.
TEST_P(DeviceContract, WriteFaultIffTheDeviceSeesWrites) {
    show(1, false);
    load(0, 1, 64);
    EXPECT_EQ(finish(0).value, word_of(1, 64));
    store(0, 1, 64, 7);
    if (traits().sees_writes) {
        const DeviceEvent event = next_event();
        EXPECT_EQ(event.kind, DeviceEventKind::write);
        EXPECT_TRUE(event.is_write);
        EXPECT_EQ(event.chunk, chunk(1));
        EXPECT_EQ(event.offset_bytes, 64u);
        EXPECT_TRUE(waits(0));
        ASSERT_TRUE(device().allow_write(chunk(1), frame(1)).has_value());
    }
    finish(0);
    store(0, 1, traits().chunk_bytes - 8, 8);
    finish(0);
    EXPECT_TRUE(no_event());
    const std::span<const std::byte> bytes = conceal(1);
    EXPECT_EQ(word_at(bytes, 64), 7u);
    EXPECT_EQ(word_at(bytes, bytes.size() - 8), 8u);
}

// Goal: a store to an absent chunk is reported as a write, and a chunk revealed writable takes it
// without a second fault. Method: one store.
TEST_P(DeviceContract, StoreToAnAbsentChunkIsAWrite) {
    store(0, 2, 128, 5);
    const DeviceEvent event = next_event();
    EXPECT_EQ(event.kind, DeviceEventKind::missing);
    EXPECT_TRUE(event.is_write);
    show(2, true);
    finish(0);
    EXPECT_TRUE(no_event());
    EXPECT_EQ(word_at(conceal(2), 128), 5u);
}

// Goal: what is mapped already may be revealed again, wakes who waits, and ends writable when
// asked. Method: read-only, a store that waits, the same again writable.
TEST_P(DeviceContract, RevealsAgain) {
    show(4, false);
    load(0, 4, 0);
    finish(0);
    store(1, 4, 8, 9);
    if (traits().sees_writes) next_event();
    reveal(4, false);
    reveal(4, true);
    finish(1);
    store(0, 4, traits().chunk_bytes / 2, 10);
    finish(0);
    const std::span<const std::byte> bytes = conceal(4);
    EXPECT_EQ(word_at(bytes, 0), word_of(4, 0));
    EXPECT_EQ(word_at(bytes, 8), 9u);
    EXPECT_EQ(word_at(bytes, bytes.size() / 2), 10u);
}

// Goal: one part shown lets its waiter go and no other. Method: two waiters at two parts.
TEST_P(DeviceContract, PartialRevealLeavesTheRestWaiting) {
    const uint64_t part = traits().reveal_bytes;
    if (part == traits().chunk_bytes) GTEST_SKIP() << "the device shows whole chunks only";
    const uint64_t last = traits().chunk_bytes - part;
    load(0, 5, 0);
    load(1, 5, last + 16);
    std::set<uint64_t> places{next_event().offset_bytes, next_event().offset_bytes};
    EXPECT_EQ(places, (std::set<uint64_t>{0, last + 16}));
    open_filled(5);
    ASSERT_TRUE(device().reveal(chunk(5), frame(5), 0, part, false).has_value());
    EXPECT_EQ(finish(0).value, word_of(5, 0));
    EXPECT_TRUE(waits(1));
    reveal(5, false);
    EXPECT_EQ(finish(1).value, word_of(5, last + 16));
    load(0, 5, part);
    EXPECT_EQ(finish(0).value, word_of(5, part));
}

// Goal: a chunk can be opened block by block, each block costs its own memory where pages are
// small, what is shown stays as it is while others come, and closing ends it all. Method: two
// blocks, the others waited for, then closed and opened whole.
TEST_P(DeviceContract, OpensAndShowsSingleBlocks) {
    if (!traits().opens_parts) {
        EXPECT_EQ(device().open_part(chunk(5), frame(5), 0, traits().chunk_bytes).error().code,
                  Errc::unsupported);
        return;
    }
    const uint64_t part = traits().reveal_bytes;
    for (const uint64_t block : {uint64_t{2}, uint64_t{0}}) {
        const uint64_t offset = block * part;
        load(0, 5, offset + 8);
        EXPECT_EQ(next_event().offset_bytes, offset + 8);
        const auto opened = device().open_part(chunk(5), frame(5), offset, part);
        ASSERT_TRUE(opened.has_value());
        ASSERT_EQ(opened->size(), traits().chunk_bytes);
        for (uint64_t word = offset; word < offset + part; word += 8)
            put_word(*opened, word, word_of(5, word));
        ASSERT_TRUE(device().reveal(chunk(5), frame(5), offset, part, false).has_value());
        EXPECT_EQ(finish(0).value, word_of(5, offset + 8));
    }
    load(0, 5, 2 * part);
    EXPECT_EQ(finish(0).value, word_of(5, 2 * part));
    load(0, 5, part);
    EXPECT_EQ(next_event().offset_bytes, part);
    EXPECT_GE(rig_->held_bytes(), 2 * part);
    close(5);
    EXPECT_EQ(rig_->held_bytes(), 0u);
    // It is woken by the end and comes again.
    EXPECT_EQ(next_event().offset_bytes, part);
    open_filled(5);
    reveal(5, false);
    EXPECT_EQ(finish(0).value, word_of(5, part));
}

// Goal: all who wait at a chunk go on with one reveal; each fault is reported once, and drain()
// keeps to the room it is given. Method: every worker at one chunk.
TEST_P(DeviceContract, OneRevealWakesEveryWaiter) {
    for (uint32_t worker = 0; worker < DeviceRig::workers; ++worker) load(worker, 6, worker * 8);
    std::set<uint64_t> places;
    while (places.size() < DeviceRig::workers && !HasFailure())
        places.insert(next_event().offset_bytes);
    EXPECT_TRUE(no_event());
    show(6, false);
    for (uint32_t worker = 0; worker < DeviceRig::workers; ++worker)
        EXPECT_EQ(finish(worker).value, word_of(6, worker * 8));
}

// Goal: after conceal() the bytes do not change, and after restore() the program goes on.
// Method: a worker that counts; the bytes are compared before and after its fault.
TEST_P(DeviceContract, ConcealFreezesAndRestoreResumes) {
    show(7, true);
    rig_->start(0, {.kind = Access::Kind::count, .offset_bytes = address(7, 256)});
    for (int round = 0; round < 20; ++round) {
        wait_counting(0);
        const std::span<const std::byte> bytes = conceal(7);
        const std::vector<std::byte> frozen(bytes.begin(), bytes.end());
        next_event();
        EXPECT_TRUE(std::equal(frozen.begin(), frozen.end(), bytes.begin()));
        EXPECT_TRUE(waits(0));
        ASSERT_TRUE(device().restore(chunk(7), frame(7), true).has_value());
    }
    rig_->stop_counting();
    const uint64_t counted = finish_serving(0, 7).value;
    EXPECT_EQ(word_at(conceal(7), 256), word_of(7, 256) + counted);
}

// Goal: a chunk restored read-only can be read at once; who waited to write since conceal() is
// heard of again, and writes after it was allowed. Method: a store into a concealed chunk.
TEST_P(DeviceContract, RestoresReadOnly) {
    show(8, true);
    conceal(8);
    store(0, 8, 0, 3);
    EXPECT_TRUE(next_event().is_write);
    ASSERT_TRUE(device().restore(chunk(8), frame(8), false).has_value());
    load(1, 8, 8);
    EXPECT_EQ(finish(1).value, word_of(8, 8));
    if (traits().sees_writes) {
        EXPECT_EQ(next_event().kind, DeviceEventKind::write);
        EXPECT_TRUE(waits(0));
        ASSERT_TRUE(device().allow_write(chunk(8), frame(8)).has_value());
    }
    finish(0);
    EXPECT_TRUE(no_event());
    EXPECT_EQ(word_at(conceal(8), 0), 3u);
}

// Goal: no write is lost on the way conceal, copy, close, open, reveal. Method: workers count in
// different pages of one chunk while it goes round; in the end each has as many as it counted.
TEST_P(DeviceContract, NoWriteIsLost) {
    constexpr uint32_t counters = 3;
    constexpr uint32_t rounds = 100;
    const uint64_t stride = traits().chunk_bytes / counters / 8 * 8;
    std::span<std::byte> bytes = open(9);
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
    reveal(9, true);
    for (uint32_t worker = 0; worker < counters; ++worker)
        rig_->start(worker,
                    {.kind = Access::Kind::count, .offset_bytes = address(9, worker * stride)});
    for (uint32_t round = 0; round < rounds; ++round) {
        bytes = conceal(9);
        const std::vector<std::byte> copy(bytes.begin(), bytes.end());
        next_event();  // somebody was at it
        close(9);
        bytes = open(9);
        std::copy(copy.begin(), copy.end(), bytes.begin());
        reveal(9, round % 2 == 0);
        if (round % 2 == 1 && traits().sees_writes) {
            EXPECT_EQ(next_event().kind, DeviceEventKind::write);
            ASSERT_TRUE(device().allow_write(chunk(9), frame(9)).has_value());
        }
        wait_counting(round % counters);
    }
    rig_->stop_counting();
    std::vector<uint64_t> counted;
    for (uint32_t worker = 0; worker < counters; ++worker)
        counted.push_back(finish_serving(worker, 9).value);
    bytes = conceal(9);
    for (uint32_t worker = 0; worker < counters; ++worker)
        EXPECT_EQ(word_at(bytes, worker * stride), counted[worker]) << worker;
}

// Goal: closing lets nobody pass: who waits faults anew, from every state, and later touches of a
// chunk that was shown fault too. Method: a waiter at an opened, a concealed and a shown chunk.
TEST_P(DeviceContract, CloseWakesAndRefaults) {
    load(0, 10, 8);
    next_event();
    open_filled(10);
    close(10);
    EXPECT_EQ(next_event().kind, DeviceEventKind::missing);

    show(10, true);
    finish(0);
    conceal(10);
    store(0, 10, 8, 1);
    next_event();
    close(10);
    EXPECT_EQ(next_event().kind, DeviceEventKind::missing);

    show(10, true);
    finish(0);
    close(10);
    load(0, 10, 16);
    EXPECT_EQ(next_event().kind, DeviceEventKind::missing);
    show(10, true);
    EXPECT_EQ(finish(0).value, word_of(10, 16));
}

// Goal: a lost chunk is an error at every touch, for those who wait already too, and for nobody
// else; when the poison is lifted it is a chunk like any other. Method: waiter, late comer,
// neighbour; then, after the program has cleared its own marks too, the same chunk again.
TEST_P(DeviceContract, PoisonKillsTheTouchAndNothingElse) {
    show(11, false);
    conceal(11);
    close(11);
    load(0, 11, 8);
    next_event();
    const Status poisoned = device().poison(chunk(11));
    if (poisoned.error().code == Errc::unsupported) {
        // The session's end is the answer then; until it comes nobody may pass.
        EXPECT_TRUE(waits(0));
        EXPECT_TRUE(no_event());
        GTEST_SKIP() << poisoned.error().what;
    }
    ASSERT_TRUE(poisoned.has_value());
    EXPECT_TRUE(finish(0).killed);
    store(0, 11, traits().chunk_bytes - 8, 1);
    EXPECT_TRUE(finish(0).killed);
    ASSERT_TRUE(device().poison(chunk(11)).has_value());
    for (const uint32_t neighbour : {10u, 12u}) {
        show(neighbour, true);
        store(0, neighbour, traits().chunk_bytes - 8, 2);
        EXPECT_FALSE(finish(0).killed);
    }
    device().unpoison(chunk(11));
    rig_->start(0, {.kind = Access::Kind::discard,
                    .offset_bytes = address(11, 0),
                    .length_bytes = traits().chunk_bytes});
    finish(0);
    load(0, 11, 8);
    EXPECT_EQ(next_event().kind, DeviceEventKind::missing);
    show(11, true);
    EXPECT_EQ(finish(0).value, word_of(11, 8));
}

// Goal: a system call on absent memory waits as the program itself does. Method: read(2) over the
// border of two absent chunks, the second shown read-only; then write(2) from an absent one.
TEST_P(DeviceContract, SystemCallsWaitAndResume) {
    constexpr uint64_t length = 64 * sizeof(uint64_t);
    const uint64_t start = traits().chunk_bytes - length / 2;
    rig_->start(0, {.kind = Access::Kind::kernel_fill,
                    .offset_bytes = address(13, start),
                    .length_bytes = length});
    EXPECT_EQ(next_event().chunk, chunk(13));
    show(13, true);
    EXPECT_EQ(next_event().chunk, chunk(14));
    show(14, false);
    EXPECT_EQ(finish_serving(0, 14).value, length);
    std::span<const std::byte> bytes = conceal(13);
    for (uint64_t word = 0; word < length / 16; ++word)
        EXPECT_EQ(word_at(bytes, start + word * 8), kernel_word(word));
    bytes = conceal(14);
    for (uint64_t word = 0; word < length / 16; ++word)
        EXPECT_EQ(word_at(bytes, word * 8), kernel_word(length / 16 + word));

    rig_->start(1, {.kind = Access::Kind::kernel_read, .offset_bytes = address(15, 24)});
    EXPECT_EQ(next_event().chunk, chunk(15));
    EXPECT_TRUE(waits(1));
    show(15, false);
    EXPECT_EQ(finish(1).value, word_of(15, 24));
}

// Goal: pages that the program discarded neither hang it nor let a write slip past conceal().
// Method: discard, touch, reveal again; discard, conceal, store.
TEST_P(DeviceContract, DiscardedPagesFaultAgain) {
    const Access discard{.kind = Access::Kind::discard,
                         .offset_bytes = address(16, 0),
                         .length_bytes = traits().reveal_bytes};
    show(16, true);
    rig_->start(0, discard);
    finish(0);
    load(0, 16, 0);
    EXPECT_EQ(next_event().kind, DeviceEventKind::missing);
    reveal(16, true);
    finish(0);

    rig_->start(0, discard);
    finish(0);
    const std::span<const std::byte> bytes = conceal(16);
    const std::vector<std::byte> frozen(bytes.begin(), bytes.end());
    store(0, 16, 0, 77);
    next_event();
    EXPECT_TRUE(std::equal(frozen.begin(), frozen.end(), bytes.begin()));
    EXPECT_TRUE(waits(0));
    ASSERT_TRUE(device().restore(chunk(16), frame(16), true).has_value());
    finish_serving(0, 16);
    EXPECT_EQ(word_at(conceal(16), 0), 77u);
}

// Goal: what is closed takes no memory, and a session that is gone takes none either. Method: the
// rig's own measure before and after.
TEST_P(DeviceContract, CloseAndDetachGiveMemoryBack) {
    for (uint32_t index = 0; index < 4; ++index) {
        show(index, true);
        load(0, index, 0);
        finish(0);
    }
    EXPECT_GE(rig_->held_bytes(), 4 * traits().chunk_bytes);
    for (uint32_t index = 0; index < 4; ++index) close(index);
    EXPECT_EQ(rig_->held_bytes(), 0u);
    device().detach(SessionIndex{0});
    EXPECT_EQ(rig_->held_bytes(), 0u);
    EXPECT_TRUE(no_event());
}

}  // namespace ciuic::test
