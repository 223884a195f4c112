// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/two_q.hpp"

#include <algorithm>

namespace ciuic::models {

TwoQ::TwoQ(uint32_t capacity_chunks)
    : capacity_(capacity_chunks), in_chunks_(std::max(1u, capacity_chunks / 4)),
      out_chunks_(std::max(1u, capacity_chunks / 2)) {}

bool TwoQ::use(uint32_t chunk) {
    if (main_.contains(chunk)) {
        main_.move_to_front(chunk);
        return true;
    }
    if (in_.contains(chunk)) return true;
    // Before room is made, which may forget the oldest number.
    const bool came_back = out_.remove(chunk);
    if (in_.size() + main_.size() == capacity_) make_room();
    (came_back ? main_ : in_).push_front(chunk);
    return false;
}

void TwoQ::make_room() {
    if (in_.size() <= in_chunks_ && !main_.empty()) {
        main_.pop_back();
        return;
    }
    out_.push_front(in_.pop_back());
    if (out_.size() > out_chunks_) out_.pop_back();
}

}  // namespace ciuic::models
