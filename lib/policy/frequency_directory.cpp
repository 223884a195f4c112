// SPDX-License-Identifier: Apache-2.0
#include "policy/frequency_directory.hpp"

#include <algorithm>

namespace ciuic {

void FrequencyDirectory::take(uint32_t chunk) {
    List& list = list_of(segments_[chunk]);
    const Link link = links_[chunk];
    (link.newer == none_index ? list.newest : links_[link.newer].older) = link.older;
    (link.older == none_index ? list.oldest : links_[link.older].newer) = link.newer;
    --list.count;
    segments_[chunk] = Segment::none;
}

void FrequencyDirectory::put(uint32_t chunk, Segment segment) {
    List& list = list_of(segment);
    links_[chunk] = {.newer = none_index, .older = list.newest};
    (list.newest == none_index ? list.oldest : links_[list.newest].newer) = chunk;
    list.newest = chunk;
    ++list.count;
    segments_[chunk] = segment;
}

void FrequencyDirectory::promote(uint32_t chunk, uint32_t protected_max) {
    take(chunk);
    put(chunk, Segment::protected_);
    while (list_of(Segment::protected_).count > protected_max) {
        const uint32_t oldest = list_of(Segment::protected_).oldest;
        take(oldest);
        put(oldest, Segment::probation);
    }
}

// The window's oldest or the oldest on probation goes, whichever was used less; where the first
// stays, it is on probation. False: there is room.
bool FrequencyDirectory::make_room(uint32_t window_max, uint32_t frames, DirectoryChange& change) {
    const List& window = list_of(Segment::window);
    const uint32_t all =
        window.count + list_of(Segment::probation).count + list_of(Segment::protected_).count;
    if (all <= frames && window.count <= window_max) return false;

    const uint32_t candidate = window.count > window_max ? window.oldest : none_index;
    if (all <= frames) {
        take(candidate);
        put(candidate, Segment::probation);
        return true;
    }
    uint32_t victim = list_of(Segment::probation).oldest;
    if (victim == none_index) victim = list_of(Segment::protected_).oldest;
    const bool is_admitted =
        candidate != none_index && victim != none_index &&
        sketch_.estimate(ChunkIndex{candidate}) > sketch_.estimate(ChunkIndex{victim});
    if (candidate != none_index) take(candidate);
    if (is_admitted) put(candidate, Segment::probation);
    const uint32_t leaves = is_admitted || candidate == none_index ? victim : candidate;
    if (leaves != candidate) take(leaves);
    change.leaves(ChunkIndex{leaves});
    return true;
}

DirectoryChange FrequencyDirectory::used(ChunkIndex chunk, uint32_t frames) {
    const uint32_t window_max = std::max(1u, frames / 100);
    const uint32_t protected_max = (frames - window_max) / 5 * 4;
    sketch_.used(chunk);
    const Segment segment = segment_of(chunk);
    DirectoryChange change(segment != Segment::none);
    if (segment == Segment::none || segment == Segment::window) {
        if (segment == Segment::window) take(chunk.value);
        put(chunk.value, Segment::window);
    } else {
        promote(chunk.value, protected_max);
    }
    while (!change.is_full() && make_room(window_max, frames, change)) {
    }
    return change;
}

}  // namespace ciuic
