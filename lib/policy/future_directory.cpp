// SPDX-License-Identifier: Apache-2.0
#include "policy/future_directory.hpp"

#include <algorithm>
#include <array>

namespace ciuic {

namespace {

constexpr uint32_t certain = 255;
// What takes long to bring back is expected so many sixteenths of a period sooner: it leaves only
// for what comes in a moment.
constexpr uint64_t costly_sooner = 15;
// What is brought has to be used so many times sooner than what leaves for it, or it would be the
// next to leave.
constexpr int64_t margin = 4;
constexpr uint32_t later_looked_at = 64;
// Nothing is expected later than this: differences of positions stay meaningful.
constexpr uint64_t furthest_away = 1u << 30;
// A turn that it left out adds a tenth of what trust there was, one that it took gives a quarter
// of what was lacking.
constexpr uint32_t trust_lost_percent = 10;
constexpr uint32_t trust_won_percent = 25;
// How often the one on top may turn out to be expected earlier before it is taken all the same.
constexpr uint32_t tops_looked_at = 8;
constexpr uint32_t periods_looked_at = 32;
// Chunks that the hand comes by at each use while all is wrong.
constexpr uint32_t looks_when_wrong = 8;
// Nothing is so certain that it would not be left out one time in twenty.
constexpr uint64_t doubt_least = 13;

}  // namespace

uint32_t FutureDirectory::expect(ChunkIndex chunk) const {
    // Nothing is known: what was used last goes first, as if the rest came again in order.
    if (!learner_->is_following()) return log_->end();
    const uint32_t at = learner_->at();
    const uint64_t period = learner_->period();
    const uint64_t doubt = doubts_[chunk.value];
    const uint64_t until_it_comes = period * doubt / std::max<uint64_t>(certain - doubt, 1);
    uint64_t away = furthest_away;
    if (const auto next = learner_->next_use(chunk)) {
        const bool is_given_up = (marks_[chunk.value] & given_up_mark) != 0;
        if (is_given_up || !log_->at(*next).is_fresh) away = *next - at + until_it_comes;
    } else if (const auto last = log_->last_of(chunk)) {
        const uint64_t ago = at - *last;
        const uint64_t turns = ago / period + 1;
        // All of a period has passed without it, or several: the likelier, the more it is doubted;
        // what used to come each time is no part of what the program does now.
        uint64_t unlikely = period;
        for (uint64_t turn = 0; turn < std::min<uint64_t>(turns, periods_looked_at); ++turn)
            unlikely = std::min(unlikely * certain / std::max(doubt, doubt_least), furthest_away);
        away = turns * period - ago + until_it_comes + unlikely - period;
    }
    const bool is_costly = (marks_[chunk.value] & costly_mark) != 0;
    const uint64_t sooner = is_costly ? std::min(period, furthest_away) / 16 * costly_sooner : 0;
    return at + static_cast<uint32_t>(std::min(away, furthest_away) - sooner);
}

void FutureDirectory::set(uint32_t index, const Entry& entry) {
    heap_[index] = entry;
    places_[entry.chunk] = index + 1;
}

void FutureDirectory::sift_up(uint32_t index) {
    const Entry entry = heap_[index];
    while (index > 0) {
        const uint32_t parent = (index - 1) / 2;
        if (!is_later(entry, heap_[parent])) break;
        set(index, heap_[parent]);
        index = parent;
    }
    set(index, entry);
}

void FutureDirectory::sift_down(uint32_t index) {
    const Entry entry = heap_[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= count_) break;
        if (child + 1 < count_ && is_later(heap_[child + 1], heap_[child])) ++child;
        if (!is_later(heap_[child], entry)) break;
        set(index, heap_[child]);
        index = child;
    }
    set(index, entry);
}

void FutureDirectory::insert(ChunkIndex chunk) {
    CIUIC_CHECK(count_ < heap_.size());
    heap_[count_] = {.chunk = chunk.value, .expected = expect(chunk)};
    sift_up(count_++);
}

void FutureDirectory::remove(uint32_t index) {
    places_[heap_[index].chunk] = 0;
    --count_;
    if (index == count_) return;
    heap_[index] = heap_[count_];
    places_[heap_[index].chunk] = index + 1;
    sift_down(index);
    sift_up(index);
}

void FutureDirectory::expect_again(ChunkIndex chunk) {
    const uint32_t index = places_[chunk.value] - 1;
    heap_[index].expected = expect(chunk);
    sift_down(index);
    sift_up(places_[chunk.value] - 1);
}

ChunkIndex FutureDirectory::furthest() {
    for (uint32_t looked = 0; looked < tops_looked_at; ++looked) {
        const Entry before = heap_[0];
        heap_[0].expected = expect(ChunkIndex{before.chunk});
        if (!is_later(before, heap_[0])) break;
        sift_down(0);
        if (heap_[0].chunk == before.chunk) break;
    }
    return ChunkIndex{heap_[0].chunk};
}

// The entries that are later than a position are the top of the heap: those above them are, too.
uint32_t FutureDirectory::count_later(int64_t away, uint32_t most) const {
    const uint32_t now = learner_->at();
    std::array<uint32_t, later_looked_at> open{0};
    uint32_t opened = count_ > 0 ? 1 : 0;
    uint32_t later = 0;
    for (uint32_t look = 0; look < opened && later < most; ++look) {
        const uint32_t index = open[look];
        if (static_cast<int32_t>(heap_[index].expected - now) <= away) continue;
        ++later;
        for (const uint32_t child : {2 * index + 1, 2 * index + 2})
            if (child < count_ && opened < open.size()) open[opened++] = child;
    }
    return later;
}

bool FutureDirectory::is_worth_room(ChunkIndex chunk, uint32_t kept) {
    CIUIC_CHECK(!holds(chunk));
    if (count_ == 0 || !learner_->is_following()) return false;
    furthest();
    const int64_t away = static_cast<int32_t>(expect(chunk) - learner_->at());
    return count_later(away > 0 ? away * margin : away, kept + 1) > kept;
}

void FutureDirectory::note(ChunkIndex chunk, const SequenceLearner::Step& step) {
    if (!step.came_true) return;
    for (uint32_t position = step.first_left_out; position != step.found; ++position) {
        if (!log_->holds(position)) continue;
        const ChunkIndex left_out{log_->at(position).chunk};
        uint8_t& doubt = doubts_[left_out.value];
        doubt = static_cast<uint8_t>(doubt + (certain - doubt) * trust_lost_percent / 100);
        if (holds(left_out)) expect_again(left_out);
    }
    uint8_t& doubt = doubts_[chunk.value];
    doubt = static_cast<uint8_t>(doubt * (100 - trust_won_percent) / 100);
}

DirectoryChange FutureDirectory::used(ChunkIndex chunk, const SequenceLearner::Step& step,
                                      uint32_t frames) {
    DirectoryChange change(holds(chunk));
    note(chunk, step);
    while (!change.is_full() && count_ > 0 && count_ + (change.is_hit() ? 0 : 1) > frames) {
        const ChunkIndex leaves = furthest();
        if (leaves == chunk) break;  // it shrinks at another's use
        remove(0);
        change.leaves(leaves);
    }
    if (change.is_hit())
        expect_again(chunk);
    else
        insert(chunk);
    go_round(step.came_true);
    return change;
}

// Where the present has turned out to correspond to another past, all that is expected is wrong.
// That is seen to once the learner is sure of it.
void FutureDirectory::go_round(bool came_true) {
    const uint32_t at = learner_->is_following() ? learner_->at() : 0;
    if (!came_true && at != at_) wrong_ = count_;
    at_ = at;
    if (!learner_->is_confident()) return;
    const uint32_t looks = std::min(wrong_ > 0 ? looks_when_wrong : 1, count_);
    for (uint32_t look = 0; look < looks; ++look) {
        hand_ = hand_ + 1 < count_ ? hand_ + 1 : 0;
        expect_again(ChunkIndex{heap_[hand_].chunk});
    }
    wrong_ -= std::min(wrong_, looks);
}

}  // namespace ciuic
