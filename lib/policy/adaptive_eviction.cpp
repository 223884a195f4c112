// SPDX-License-Identifier: Apache-2.0
#include "policy/adaptive_eviction.hpp"

#include <algorithm>
#include <bit>

namespace ciuic {

namespace {

constexpr uint32_t looks_per_use = 64;

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
        sketch = carver.take<uint64_t>(std::bit_ceil((frames_max + 3) / 4));
        uses = carver.take<Use>(std::max(uses_per_chunk * chunks, uses_min));
        last = carver.take<uint32_t>(chunks);
        links = carver.take<FrequencyDirectory::Link>(chunks);
        heap = carver.take<FutureDirectory::Entry>(frames_max + 1);
        heap_places = carver.take<uint32_t>(chunks);
        places = carver.take<Place>(chunks);
        segments = carver.take<FrequencyDirectory::Segment>(chunks);
        doubts = carver.take<uint8_t>(chunks);
        flags = carver.take<uint8_t>(chunks);
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
    std::span<Place> places;
    std::span<FrequencyDirectory::Segment> segments;
    std::span<uint8_t> doubts;
    std::span<uint8_t> flags;
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
      future_(log_, learner_, parts.heap, parts.heap_places, parts.doubts), places_(parts.places),
      flags_(parts.flags), hand_(static_cast<uint32_t>(parts.flags.size())) {}

bool AdaptiveEviction::leader_holds(ChunkIndex chunk) const {
    switch (contest_.leading()) {
    case Expert::recency: return recency_.holds(chunk);
    case Expert::frequency: return frequency_.holds(chunk);
    case Expert::future: return future_.holds(chunk);
    }
    return true;
}

// Whether the order that was found has lasted for a part of what the frames hold: a few chunks that
// come in a known order say nothing of what comes after them.
bool AdaptiveEviction::sees_far_enough(uint32_t frames) const {
    return learner_.is_confident() && learner_.followed() >= frames / 4;
}

void AdaptiveEviction::used(ChunkIndex chunk, uint32_t frames) {
    CIUIC_CHECK(frames > 0);
    const bool was_recent = recency_.holds(chunk);
    const SequenceLearner::Step step = learner_.used(chunk);
    log_.append(chunk);
    const DirectoryChange recency = recency_.used(was_recent, frames);
    const DirectoryChange frequency = frequency_.used(chunk, frames);
    const DirectoryChange future = future_.used(chunk, step, frames);

    const Expert led = contest_.leading();
    contest_.used({recency.is_hit(), frequency.is_hit(), future.is_hit()}, sees_far_enough(frames),
                  frames);
    if (contest_.leading() != led) {
        ++changes_;
        hand_ = 0;
    }
    const DirectoryChange& change = contest_.leading() == Expert::recency     ? recency
                                    : contest_.leading() == Expert::frequency ? frequency
                                                                              : future;
    if (is_outsider(chunk.value)) drop_outsider(chunk.value);
    for (const ChunkIndex gone : change.left())
        if (flags_[gone.value] == in_frame) add_outsider(gone.value);
    look_for_outsiders(looks_per_use);
}

void AdaptiveEviction::entered(ChunkIndex chunk) { flags_[chunk.value] |= in_frame; }

void AdaptiveEviction::left(ChunkIndex chunk) {
    if (is_outsider(chunk.value)) drop_outsider(chunk.value);
    flags_[chunk.value] = 0;
}

void AdaptiveEviction::spared(ChunkIndex chunk) {
    if (!is_outsider(chunk.value)) return;
    drop_outsider(chunk.value);
    add_outsider(chunk.value);
}

std::optional<ChunkIndex> AdaptiveEviction::victim() {
    for (;;) {
        while (oldest_ != none_index) {
            // Those from before the lead changed need not be any more.
            if (!leader_holds(ChunkIndex{oldest_})) return ChunkIndex{oldest_};
            drop_outsider(oldest_);
        }
        if (hand_ == flags_.size()) return std::nullopt;
        look_for_outsiders(looks_per_use);
    }
}

void AdaptiveEviction::add_outsider(uint32_t chunk) {
    flags_[chunk] |= outsider;
    places_[chunk] = {.older = newest_, .newer = none_index};
    (newest_ == none_index ? oldest_ : places_[newest_].newer) = chunk;
    newest_ = chunk;
}

void AdaptiveEviction::drop_outsider(uint32_t chunk) {
    const Place place = places_[chunk];
    (place.older == none_index ? oldest_ : places_[place.older].newer) = place.newer;
    (place.newer == none_index ? newest_ : places_[place.newer].older) = place.older;
    flags_[chunk] = static_cast<uint8_t>(flags_[chunk] & ~outsider);
}

// The lead has changed: who is an outsider now is found out a few at a time.
void AdaptiveEviction::look_for_outsiders(uint32_t looks) {
    for (; looks > 0 && hand_ < flags_.size(); --looks, ++hand_)
        if (flags_[hand_] == in_frame && !leader_holds(ChunkIndex{hand_})) add_outsider(hand_);
}

}  // namespace ciuic
