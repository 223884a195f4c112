// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/device_contract.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace ciuic::test {

void PiecesContract::show_piece(uint32_t index, uint32_t block) {
    const Result<std::span<std::byte>> bytes = pieces().open(piece(index, block));
    ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
    for (uint64_t offset = 0; offset < bytes->size(); offset += sizeof(uint64_t))
        put_word(*bytes, offset, word_of(index, piece_address(block, offset)));
    const Status revealed = pieces().reveal(piece(index, block));
    ASSERT_TRUE(revealed.has_value()) << revealed.error().what;
}

std::span<std::byte> PiecesContract::conceal_piece(uint32_t index, uint32_t block) {
    Result<std::span<std::byte>> bytes = pieces().conceal(piece(index, block));
    EXPECT_TRUE(bytes.has_value()) << bytes.error().what;
    return bytes.has_value() ? *bytes : std::span<std::byte>();
}

// Goal: a piece shows its block and no other; whoever waits at another block is told to ask again.
// Method: two waiters at two blocks of a chunk.
TEST_P(PiecesContract, ShowsItsBlockAlone) {
    const uint64_t here = piece_address(2, 40);
    const uint64_t there = piece_address(3, 8);
    load(0, 5, here);
    load(1, 5, there);
    std::set<uint64_t> places{next_event().offset_bytes, next_event().offset_bytes};
    EXPECT_EQ(places, (std::set<uint64_t>{here, there}));
    show_piece(5, 2);
    EXPECT_EQ(finish(0).value, word_of(5, here));
    const DeviceEvent again = next_event();
    EXPECT_EQ(again.chunk, chunk(5));
    EXPECT_EQ(again.offset_bytes, there);
    EXPECT_TRUE(waits(1));
    show_piece(5, 3);
    EXPECT_EQ(finish(1).value, word_of(5, there));
    for (const uint32_t block : {2u, 3u}) pieces().close(piece(5, block));
}

// Goal: after conceal() the bytes do not change, nor does a second conceal() do anything, and after
// reveal() the program goes on. Method: a worker that counts, compared around its fault.
TEST_P(PiecesContract, ConcealFreezesAndRevealResumes) {
    show_piece(6, 1);
    rig_->start(0,
                {.kind = Access::Kind::count, .offset_bytes = address(6, piece_address(1, 256))});
    for (int round = 0; round < 20; ++round) {
        wait_counting(0);
        const std::span<const std::byte> bytes = conceal_piece(6, 1);
        const std::vector<std::byte> frozen(bytes.begin(), bytes.end());
        EXPECT_EQ(next_event().offset_bytes, piece_address(1, 256));
        EXPECT_EQ(conceal_piece(6, 1).data(), bytes.data());
        EXPECT_TRUE(std::equal(frozen.begin(), frozen.end(), bytes.begin()));
        ASSERT_TRUE(pieces().reveal(piece(6, 1)).has_value());
    }
    rig_->stop_counting();
    const uint64_t counted = finish(0).value;
    EXPECT_EQ(word_at(conceal_piece(6, 1), 256), word_of(6, piece_address(1, 256)) + counted);
    pieces().close(piece(6, 1));
}

// Goal: a chunk goes from pieces to a frame with what the program wrote, and back. Method: two
// pieces written, concealed and copied; the frame shown over where they were.
TEST_P(PiecesContract, AFrameTakesThePlaceOfPieces) {
    for (int round = 0; round < 3; ++round) {
        for (const uint32_t block : {0u, 3u}) {
            show_piece(4, block);
            store(0, 4, piece_address(block, 16), 1000 + block);
            finish(0);
        }
        const std::span<std::byte> whole = open_filled(4);
        for (const uint32_t block : {0u, 3u}) {
            const std::span<const std::byte> bytes = conceal_piece(4, block);
            std::copy(bytes.begin(), bytes.end(),
                      whole.begin() + static_cast<std::ptrdiff_t>(piece_address(block, 0)));
        }
        reveal(4, true);
        for (const uint32_t block : {0u, 3u}) pieces().close(piece(4, block));
        for (const uint32_t block : {0u, 1u, 3u}) {
            load(0, 4, piece_address(block, 16));
            EXPECT_EQ(finish(0).value,
                      block == 1 ? word_of(4, piece_address(block, 16)) : 1000 + block);
        }
        conceal(4);
        close(4);
    }
    EXPECT_EQ(rig_->held_bytes(), 0u);
}

// Goal: a closed piece is gone: its block waits again, and the piece serves another chunk without
// the old bytes' being seen where they were. Method: close while shown, then another owner.
TEST_P(PiecesContract, AClosedPieceServesAnother) {
    show_piece(2, 1);
    pieces().close(piece(2, 1));
    load(0, 2, piece_address(1, 0));
    next_event();
    EXPECT_TRUE(waits(0));
    show_piece(4, 1);  // the same piece
    EXPECT_TRUE(waits(0));
    load(1, 4, piece_address(1, 0));
    EXPECT_EQ(finish(1).value, word_of(4, piece_address(1, 0)));
    pieces().close(piece(4, 1));
    show_piece(2, 1);
    EXPECT_EQ(finish(0).value, word_of(2, piece_address(1, 0)));
    pieces().close(piece(2, 1));
    EXPECT_EQ(rig_->held_bytes(), 0u);
}

// Goal: pages that the program discards read as zeros, in the piece too. Method: one page of a
// shown piece.
TEST_P(PiecesContract, DiscardedPagesOfAPieceAreZeros) {
    show_piece(2, 2);
    const uint64_t page_bytes = 4 * KiB;
    rig_->start(0, {.kind = Access::Kind::discard,
                    .offset_bytes = address(2, piece_address(2, 0)),
                    .length_bytes = page_bytes});
    finish(0);
    load(0, 2, piece_address(2, 64));
    next_event();
    ASSERT_TRUE(pieces().reveal(piece(2, 2)).has_value());
    EXPECT_EQ(finish(0).value, 0u);
    const std::span<const std::byte> bytes = conceal_piece(2, 2);
    EXPECT_EQ(word_at(bytes, 64), 0u);
    for (uint64_t page = page_bytes; page < bytes.size(); page += page_bytes)
        EXPECT_EQ(word_at(bytes, page), word_of(2, piece_address(2, page)));
    pieces().close(piece(2, 2));
}

// Goal: a poisoned chunk keeps the bytes of its concealed pieces, and shows them when it is not
// poisoned any more. Method: conceal, poison, a touch, unpoison, reveal.
TEST_P(PiecesContract, PoisonLeavesConcealedPiecesAlone) {
    show_piece(3, 0);
    conceal_piece(3, 0);
    const Status poisoned = device().poison(chunk(3));
    if (poisoned.error().code == Errc::unsupported) GTEST_SKIP() << poisoned.error().what;
    ASSERT_TRUE(poisoned.has_value());
    load(0, 3, piece_address(0, 8));
    EXPECT_TRUE(finish(0).killed);
    device().unpoison(chunk(3));
    ASSERT_TRUE(pieces().reveal(piece(3, 0)).has_value());
    load(0, 3, piece_address(0, 8));
    EXPECT_EQ(finish(0).value, word_of(3, piece_address(0, 8)));
    pieces().close(piece(3, 0));
}

// Goal: the kernel's own accesses wait as the program's do. Method: write(2) from a piece that is
// not shown yet.
TEST_P(PiecesContract, SystemCallsWaitToo) {
    rig_->start(
        0, {.kind = Access::Kind::kernel_read, .offset_bytes = address(5, piece_address(1, 24))});
    EXPECT_EQ(next_event().offset_bytes, piece_address(1, 24));
    EXPECT_TRUE(waits(0));
    show_piece(5, 1);
    EXPECT_EQ(finish(0).value, word_of(5, piece_address(1, 24)));
    pieces().close(piece(5, 1));
}

}  // namespace ciuic::test
