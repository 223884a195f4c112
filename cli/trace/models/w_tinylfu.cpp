// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/w_tinylfu.hpp"

#include <algorithm>

namespace ciuic::models {

WTinyLfu::WTinyLfu(uint32_t capacity_chunks)
    : window_chunks_(std::max(1u, capacity_chunks / 100)),
      main_chunks_(capacity_chunks - window_chunks_),
      protected_chunks_(static_cast<uint32_t>(uint64_t{main_chunks_} * 4 / 5)),
      sketch_(capacity_chunks) {}

bool WTinyLfu::use(uint32_t chunk) {
    sketch_.add(chunk);
    if (window_.contains(chunk)) {
        window_.move_to_front(chunk);
        return true;
    }
    if (protected_.contains(chunk)) {
        protected_.move_to_front(chunk);
        return true;
    }
    if (probation_.contains(chunk)) {
        promote(chunk);
        return true;
    }
    window_.push_front(chunk);
    if (window_.size() > window_chunks_) leave_window();
    return false;
}

void WTinyLfu::promote(uint32_t chunk) {
    probation_.remove(chunk);
    protected_.push_front(chunk);
    if (protected_.size() > protected_chunks_) probation_.push_front(protected_.pop_back());
}

void WTinyLfu::leave_window() {
    const uint32_t candidate = window_.pop_back();
    if (probation_.size() + protected_.size() < main_chunks_) {
        probation_.push_front(candidate);
        return;
    }
    ChunkQueue& from = probation_.empty() ? protected_ : probation_;
    if (from.empty() || sketch_.count(candidate) <= sketch_.count(from.back())) return;
    from.pop_back();
    probation_.push_front(candidate);
}

}  // namespace ciuic::models
