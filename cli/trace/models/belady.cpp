// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/belady.hpp"

#include <iterator>

namespace ciuic::models {

Belady::Belady(uint32_t capacity_chunks, Uses uses)
    : capacity_(capacity_chunks), next_(uses.size()) {
    const auto end = static_cast<uint32_t>(uses.size());
    PerChunk<uint32_t> later;  // 0: never, else one more than the position
    for (uint32_t at = end; at-- > 0;) {
        uint32_t& known = later[uses[at]];
        next_[at] = known == 0 ? end : known - 1;
        known = at + 1;
    }
}

bool Belady::use(uint32_t chunk) {
    CIUIC_CHECK(at_ < next_.size());
    // What is here was noted with the position of its next use, which is this one.
    const bool is_hit = here_.erase({at_, chunk}) > 0;
    if (!is_hit && here_.size() == capacity_) here_.erase(std::prev(here_.end()));
    here_.emplace(next_[at_], chunk);
    ++at_;
    return is_hit;
}

}  // namespace ciuic::models
