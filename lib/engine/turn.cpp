// SPDX-License-Identifier: Apache-2.0
//
// Turn: how much is done before others have theirs.
//
// What takes long is counted in what giving up a chunk without a frame costs (limits.hpp). A turn
// has so much of it, and each of its parts does one such thing in any case: whatever clients ask
// for, a turn stays short, and no part of it starves another. What came to nothing, since a client
// holds a pin or is busy, does not count: the engine would ask for turn after turn. The looking at
// chunks that a request names is counted apart, by session.
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

void Engine::begin_turn() {
    retry_wanted_ = false;
    more_ = false;
    opens_left_ = limits::opens_per_turn;
    work_left_ = limits::work_per_turn;
    uint32_t waiting = 0;
    for (uint32_t index = 0; index < sessions_end_; ++index)
        if (sessions_[index] && sessions_[index]->waiting > 0) ++waiting;
    const uint32_t share =
        std::max(limits::looks_min, limits::looks_per_turn / std::max(1u, waiting));
    for (uint32_t index = 0; index < sessions_end_; ++index)
        if (sessions_[index]) sessions_[index]->looks_left = share;
}

// Something that takes long is to be done. False: in one of the next turns.
bool Engine::may_work() {
    if (work_left_ > 0 || part_is_fresh_) return true;
    more_ = true;
    return false;
}

void Engine::did(uint32_t cost) {
    part_is_fresh_ = false;
    work_left_ -= std::min(work_left_, cost);
}

bool Engine::may_give_up(ChunkRef chunk) {
    if (!may_work()) return false;
    did(has_frame(record(chunk).state) ? limits::cost_of_close : 1);
    return true;
}

// What leaves without a copy is given up at once, the rest is frozen.
uint32_t Engine::cost_of_evict(ChunkRef chunk) {
    const ChunkRecord& facts = record(chunk);
    const bool goes_at_once = is_untouched(facts.state) || facts.state == ChunkState::sparse ||
                              holds(facts.copies, Copies::store);
    return goes_at_once ? limits::cost_of_close : limits::cost_of_show;
}

// A chunk of a request is to be looked at. False: in one of the next turns.
bool Engine::may_look(Session& session) {
    if (session.looks_left == 0) {
        more_ = true;
        return false;
    }
    --session.looks_left;
    return true;
}

}  // namespace ciuic
