// SPDX-License-Identifier: Apache-2.0
//
// Future directory: what would be held if, of all chunks, the one whose next use is furthest away
// left (Belady, 1966), with the sequence learner's word for the future.
//
// A chunk that does not always come when its turn does is expected later, by as many periods as it
// takes on average until it comes. One whose turn the log does not know is expected at its place in
// the next period.
//
// What is given up before its next use is not needed until then: the bytes that it holds now never
// are.
//
// What takes long to bring back is expected sooner than it comes, by most of a period: of a set
// that is used in turns it is then what stays, and what streams is the rest.
//
// A heap by expected use has the furthest on top. What the prediction does to an expectation later
// is seen when its turn passes, when it is on top, and by a hand that goes round.
//
// Not here: the prediction (sequence_learner.hpp).
// Threads: one. Pure: the memory is the caller's, zeros at first.
#pragma once

#include "policy/directory.hpp"
#include "policy/sequence_learner.hpp"

#include <span>

namespace ciuic {

class FutureDirectory {
public:
    struct Entry {
        uint32_t chunk;
        uint32_t expected;  // position in the log's terms; see SequenceLearner::at()
    };

    // Of the marks, those that it looks at: the chunk was given up after its latest use; to bring
    // it back takes long.
    static constexpr uint8_t given_up_mark = 4;
    static constexpr uint8_t costly_mark = 8;

    // heap: one per frame, and one. places, doubts, marks: one per chunk.
    FutureDirectory(const UseLog& log, const SequenceLearner& learner, std::span<Entry> heap,
                    std::span<uint32_t> places, std::span<uint8_t> doubts,
                    std::span<const uint8_t> marks)
        : log_(&log), learner_(&learner), heap_(heap), places_(places), doubts_(doubts),
          marks_(marks) {
        CIUIC_CHECK(places.size() == doubts.size() && places.size() == marks.size());
    }

    bool holds(ChunkIndex chunk) const {
        CIUIC_CHECK(chunk.value < places_.size());
        return places_[chunk.value] != 0;
    }

    // Called with every use after it was appended; step: what the learner said of it.
    DirectoryChange used(ChunkIndex chunk, const SequenceLearner::Step& step, uint32_t frames);

    uint32_t count() const { return count_; }
    // Of what is held, the chunk that is used last. There is one.
    ChunkIndex furthest();
    // More than so many of what is held are used much later than this chunk, which is not.
    bool is_worth_room(ChunkIndex chunk, uint32_t kept);
    // It is held from now on, or not any more, whatever the rule says.
    void hold(ChunkIndex chunk) { insert(chunk); }
    void drop(ChunkIndex chunk) { remove(places_[chunk.value] - 1); }

private:
    uint32_t expect(ChunkIndex chunk) const;
    uint32_t count_later(int64_t away, uint32_t most) const;
    void expect_again(ChunkIndex chunk);
    void note(ChunkIndex chunk, const SequenceLearner::Step& step);
    bool is_later(const Entry& a, const Entry& b) const {
        return static_cast<int32_t>(a.expected - b.expected) > 0;
    }
    void set(uint32_t index, const Entry& entry);
    void sift_up(uint32_t index);
    void sift_down(uint32_t index);
    void insert(ChunkIndex chunk);
    void remove(uint32_t index);
    void go_round(bool came_true);

    const UseLog* log_;
    const SequenceLearner* learner_;
    std::span<Entry> heap_;
    std::span<uint32_t> places_;  // index in the heap, plus one; 0: not held
    std::span<uint8_t> doubts_;   // 0: it came whenever its turn did; 255: it hardly does
    std::span<const uint8_t> marks_;
    uint32_t count_ = 0;
    uint32_t hand_ = 0;
    uint32_t at_ = 0;     // the learner's, at the latest use
    uint32_t wrong_ = 0;  // so many are to be looked at soon
};

}  // namespace ciuic
