// SPDX-License-Identifier: Apache-2.0
#include "policy/adaptive_eviction.hpp"

#include <algorithm>

namespace ciuic {

namespace {

constexpr uint32_t looks_per_use = 64;
constexpr uint32_t places_for_misses = 16;

// Takes typed parts from a span of bytes, one after the other.
class Carver {
public:
    explicit Carver(std::span<std::byte> memory) : memory_(memory) {}

    template <typename T> std::span<T> take(size_t count) {
        used_ = round_up(used_, alignof(T));
        T* const first = memory_.empty() ? nullptr : reinterpret_cast<T*>(memory_.data() + used_);
        used_ += count * sizeof(T);
        CIUIC_CHECK(memory_.empty() || used_ <= memory_.size());
        return {first, memory_.empty() ? 0 : count};
    }
    uint64_t used() const { return used_; }

private:
    std::span<std::byte> memory_;  // empty: only counted
    uint64_t used_ = 0;
};

}  // namespace

// Three uses for each chunk hold a period and more: there and back again uses each twice, a
// training step less often on average.
struct AdaptiveEviction::Parts {
    Parts(std::span<std::byte> memory, uint32_t chunks, uint32_t frames_max) {
        Carver carver(memory);
        sketch = carver.take<uint64_t>(frames_max);
        uses = carver.take<Use>(std::max(uses_per_chunk * chunks, uses_min));
        last = carver.take<uint32_t>(chunks);
        links = carver.take<FrequencyDirectory::Link>(chunks);
        heap = carver.take<FutureDirectory::Entry>(frames_max + 1);
        heap_places = carver.take<uint32_t>(chunks);
        next = carver.take<uint32_t>(chunks);
        segments = carver.take<FrequencyDirectory::Segment>(chunks);
        doubts = carver.take<uint8_t>(chunks);
        marks = carver.take<uint8_t>(chunks);
        bytes = carver.used();
    }

    static constexpr uint32_t uses_per_chunk = 3;
    static constexpr uint32_t uses_min = 1024;

    std::span<uint64_t> sketch;
    std::span<Use> uses;
    std::span<uint32_t> last;
    std::span<FrequencyDirectory::Link> links;
    std::span<FutureDirectory::Entry> heap;
    std::span<uint32_t> heap_places;
    std::span<uint32_t> next;
    std::span<FrequencyDirectory::Segment> segments;
    std::span<uint8_t> doubts;
    std::span<uint8_t> marks;
    uint64_t bytes;
};

uint64_t AdaptiveEviction::memory_bytes(uint32_t chunks, uint32_t frames_max) {
    return Parts({}, chunks, frames_max).bytes;
}

AdaptiveEviction::AdaptiveEviction(std::span<std::byte> memory, uint32_t chunks,
                                   uint32_t frames_max)
    : AdaptiveEviction(Parts(memory, chunks, frames_max)) {}

AdaptiveEviction::AdaptiveEviction(const Parts& parts)
    : log_(parts.uses, parts.last), learner_(log_), recency_(log_),
      frequency_(parts.links, parts.segments, parts.sketch),
      future_(log_, learner_, parts.heap, parts.heap_places, parts.doubts, parts.marks),
      next_(parts.next), marks_(parts.marks), hand_(static_cast<uint32_t>(parts.marks.size())) {}

bool AdaptiveEviction::leader_holds(ChunkIndex chunk) const {
    switch (contest_.leading()) {
    case Expert::recency: return recency_.holds(chunk);
    case Expert::frequency: return frequency_.holds(chunk);
    case Expert::future: return future_.holds(chunk);
    }
    return true;
}

void AdaptiveEviction::used(ChunkIndex chunk, uint32_t frames) {
    CIUIC_CHECK(frames > 0);
    frames_ = frames;
    latest_ = chunk.value;
    const bool was_recent = recency_.holds(chunk);
    const uint32_t was_at = learner_.is_following() ? learner_.at() : 0;
    const SequenceLearner::Step step = learner_.used(chunk);
    log_.append(chunk, (marks_[chunk.value] & fresh) != 0);
    marks_[chunk.value] = static_cast<uint8_t>(marks_[chunk.value] & ~fresh);
    look_ahead(step, was_at);
    if (is_ahead(chunk)) {
        end_ahead(chunk);
        depth_ = std::min(depth_ + 1, std::max(frames / 4 * 3, depth_at_first));
    }
    const DirectoryChange recency = recency_.used(was_recent, frames);
    const DirectoryChange frequency = frequency_.used(chunk, frames);
    const DirectoryChange future = future_.used(chunk, step, frames);

    const Expert led = contest_.leading();
    contest_.used({recency.is_hit(), frequency.is_hit(), future.is_hit()},
                  learner_.is_confident() ? learner_.followed() : 0, frames);
    if (contest_.leading() != led) begin_change();
    without_future_ = contest_.leading() == Expert::future ? 0 : without_future_ + 1;
    const DirectoryChange& done = contest_.leading() == Expert::recency     ? recency
                                  : contest_.leading() == Expert::frequency ? frequency
                                                                            : future;
    for (const ChunkIndex gone : done.left())
        if (is_in_frame(gone.value)) queue(gone.value);
    go_on_changing(looks_per_use);
}

void AdaptiveEviction::entered(ChunkIndex chunk) {
    marks_[chunk.value] |= in_frame;
    if (!leader_holds(chunk)) queue(chunk.value);
}

void AdaptiveEviction::left(ChunkIndex chunk) {
    marks_[chunk.value] = static_cast<uint8_t>(marks_[chunk.value] & ~in_frame);
    if (!is_ahead(chunk)) return;
    end_ahead(chunk);
    depth_ -= std::min(depth_ - depth_at_first, depth_lost);
}

void AdaptiveEviction::given_up(ChunkIndex chunk) {
    marks_[chunk.value] = static_cast<uint8_t>((marks_[chunk.value] & ~in_frame) | fresh);
    if (is_ahead(chunk)) end_ahead(chunk);
    if (future_.holds(chunk)) future_.drop(chunk);
}

void AdaptiveEviction::spared(ChunkIndex chunk) {
    if (chunk.value == oldest_) unqueue_oldest();
    queue(chunk.value);
}

std::optional<ChunkIndex> AdaptiveEviction::victim() {
    for (;;) {
        // Some have been used since, have left, or are the new leader's.
        while (oldest_ != none_index) {
            if (is_outsider(oldest_)) return ChunkIndex{oldest_};
            unqueue_oldest();
        }
        if (!is_changing()) return std::nullopt;
        go_on_changing(looks_per_use);
    }
}

// The place in the order has changed, or the program has come to where the next was looked for.
void AdaptiveEviction::look_ahead(const SequenceLearner::Step& step, uint32_t was_at) {
    if (!learner_.is_following()) return;
    const uint32_t at = learner_.at();
    const bool is_elsewhere = !step.came_true && at != was_at;
    for (uint32_t& next : next_ahead_)
        if (is_elsewhere || static_cast<int32_t>(next - at) <= 0) next = at + 1;
}

void AdaptiveEviction::end_ahead(ChunkIndex chunk) {
    CIUIC_CHECK(ahead_count_ > 0);
    marks_[chunk.value] = static_cast<uint8_t>(marks_[chunk.value] & ~ahead);
    --ahead_count_;
}

ChunkIndex AdaptiveEviction::drop_furthest() {
    const ChunkIndex furthest = future_.furthest();
    future_.drop(furthest);
    if (is_in_frame(furthest.value)) queue(furthest.value);
    return furthest;
}

std::optional<ChunkIndex> AdaptiveEviction::furthest_victim() {
    while (contest_.leading() == Expert::future && future_.count() > 0)
        if (const ChunkIndex furthest = drop_furthest(); is_in_frame(furthest.value))
            return furthest;
    return std::nullopt;
}

std::optional<ChunkIndex> AdaptiveEviction::next_to_bring(bool costly) {
    if (!brings() || !learner_.is_confident() || ahead_count_ >= depth_) return std::nullopt;
    uint32_t& next = next_ahead_[costly];
    for (uint32_t looks = 0; looks < looks_per_use && log_.holds(next); ++looks, ++next) {
        const ChunkIndex chunk{log_.at(next).chunk};
        // What it holds now is given up before that use.
        const bool is_late = log_.at(next).is_fresh && !(marks_[chunk.value] & fresh);
        if (is_late || is_costly(chunk) != costly || future_.holds(chunk)) continue;
        // Places that are free for a moment, or as good as that, are the next misses'.
        const uint32_t kept = std::min(places_for_misses, frames_ / 8);
        if (future_.count() + kept < frames_ || future_.is_worth_room(chunk, kept)) return chunk;
        return std::nullopt;
    }
    return std::nullopt;
}

void AdaptiveEviction::brought(ChunkIndex chunk) {
    CIUIC_CHECK(frames_ > 0 && !future_.holds(chunk));
    if (future_.count() >= frames_) drop_furthest();
    future_.hold(chunk);
    if (!is_in_frame(chunk.value) && !is_ahead(chunk)) {
        marks_[chunk.value] |= ahead;
        ++ahead_count_;
    }
    passed_over(chunk);
}

void AdaptiveEviction::costs(ChunkIndex chunk, bool much) {
    uint8_t& mark = marks_[chunk.value];
    mark = static_cast<uint8_t>(much ? mark | costly : mark & ~costly);
}

void AdaptiveEviction::queue(uint32_t chunk) {
    if (is_queued(chunk)) return;
    marks_[chunk] = static_cast<uint8_t>((marks_[chunk] & facts) | epoch_ << epoch_shift);
    next_[chunk] = none_index;
    (newest_ == none_index ? oldest_ : next_[newest_]) = chunk;
    newest_ = chunk;
}

void AdaptiveEviction::unqueue_oldest() {
    marks_[oldest_] &= facts;
    oldest_ = next_[oldest_];
    if (oldest_ == none_index) newest_ = none_index;
}

// Who was an outsider is none of the new leader's business. What is left of the queue keeps its
// marks until the hand comes by; an epoch comes again only when there are none of it.
void AdaptiveEviction::begin_change() {
    if (epoch_ == epochs) {
        while (is_changing()) go_on_changing(looks_per_use);
        for (uint8_t& mark : marks_) mark &= facts;
        epoch_ = 0;
    }
    ++epoch_;
    oldest_ = newest_ = none_index;
    hand_ = 0;
    adopts_ = contest_.leading() == Expert::future && without_future_ >= frames_;
    passes_left_ = adopts_ ? 1 : 0;
}

// A few chunks at a time, so that no use pays for all.
void AdaptiveEviction::go_on_changing(uint32_t looks) {
    for (; looks > 0 && is_changing(); --looks) {
        if (hand_ < marks_.size()) {
            change(hand_++);
        } else {
            --passes_left_;
            hand_ = 0;
        }
    }
}

// The future's directory first gives up what is in no frame, and then takes in what is.
void AdaptiveEviction::change(uint32_t chunk) {
    if (!adopts_) {
        if (is_outsider(chunk)) queue(chunk);
        return;
    }
    const ChunkIndex index{chunk};
    const bool is_held = future_.holds(index);
    if (passes_left_ > 0) {
        if (is_held && !is_in_frame(chunk) && chunk != latest_) future_.drop(index);
    } else if (!is_held && is_in_frame(chunk) && !is_queued(chunk)) {
        future_.count() < frames_ ? future_.hold(index) : queue(chunk);
    }
}

}  // namespace ciuic
