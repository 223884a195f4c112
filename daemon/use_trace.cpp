// SPDX-License-Identifier: Apache-2.0
#include "daemon/use_trace.hpp"

#include "limits.hpp"

#include <algorithm>

namespace ciuic {
namespace {

// Places in a trace that say how much is missing there; further losses are only in the sum.
constexpr uint32_t losses_told_max = 1000;

}  // namespace

void UseTrace::take(const UseEvent& event) {
    switch (event.kind) {
    case UseEvent::Kind::promise: promise(event); break;
    case UseEvent::Kind::use: use(event); break;
    case UseEvent::Kind::lost:
        lose(event.time_ns);
        if (losses_told_++ < losses_told_max)
            sink_.phase(std::to_string(event.time_ns) + " uses lost here");
        break;
    }
}

void UseTrace::finish() {
    let_go();
    if (lost_ > 0) sink_.phase(std::to_string(lost_) + " uses lost in all");
}

// What of it no region has had before.
void UseTrace::promise(const UseEvent& event) {
    auto& ranges = spaces_[event.session].ranges;
    const uint32_t end = event.chunk + event.chunks;
    uint32_t at = event.chunk;
    auto next = ranges.upper_bound(at);
    if (next != ranges.begin()) at = std::max(at, std::prev(next)->second.end);
    while (at < end) {
        const uint32_t free_end = next == ranges.end() ? end : std::min(end, next->first);
        if (at < free_end) ranges.emplace_hint(next, at, Range{free_end, {}});
        if (next == ranges.end()) return;
        at = next->second.end;
        ++next;
    }
}

void UseTrace::use(const UseEvent& event) {
    if (held_ && held_->session == event.session && held_->chunk == event.chunk) {
        held_->use.is_write |= event.is_write;
        return;
    }
    let_go();
    Space& space = spaces_[event.session];
    const auto thread = thread_of(space);
    const auto range = range_of(space, event);
    if (!thread || uses_ == limits::trace_uses_max ||
        !name_region(space, range->first, range->second))
        return lose(1);
    held_ = {.use = {.time_ns = event.time_ns,
                     .thread = *thread,
                     .region = *range->second.region,
                     .chunk = event.chunk - range->first,
                     .is_write = event.is_write},
             .session = event.session,
             .chunk = event.chunk};
    ++uses_;
}

void UseTrace::lose(uint64_t uses) {
    let_go();
    lost_ += uses;
}

void UseTrace::let_go() {
    if (held_) sink_.use(held_->use);
    held_.reset();
}

std::optional<uint32_t> UseTrace::thread_of(Space& space) {
    if (!space.thread && threads_ < limits::trace_threads_max) space.thread = threads_++;
    return space.thread;
}

// The one that has the chunk; where none has, as much as no other has.
std::map<uint32_t, UseTrace::Range>::iterator UseTrace::range_of(Space& space,
                                                                 const UseEvent& event) {
    const auto next = space.ranges.upper_bound(event.chunk);
    const bool has_before = next != space.ranges.begin();
    if (has_before && event.chunk < std::prev(next)->second.end) return std::prev(next);
    const uint32_t first = has_before ? std::prev(next)->second.end : 0;
    const uint32_t end = next == space.ranges.end() ? event.chunks : next->first;
    return space.ranges.emplace_hint(next, first, Range{std::max(end, event.chunk + 1), {}});
}

// False: the trace has no room for it.
bool UseTrace::name_region(Space& space, uint32_t first, Range& range) {
    if (range.region) return true;
    const uint32_t chunks = range.end - first;
    if (regions_ == limits::trace_regions_max || chunks_ + chunks > limits::trace_chunks_max)
        return false;
    range.region = sink_.region(
        "session " + std::to_string(*space.thread) + ", chunk " + std::to_string(first), chunks);
    ++regions_;
    chunks_ += chunks;
    return true;
}

}  // namespace ciuic
