// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/lirs.hpp"

#include <algorithm>

namespace ciuic::models {

Lirs::Lirs(uint32_t capacity_chunks)
    : capacity_(capacity_chunks),
      lir_chunks_(capacity_chunks - std::max(1u, capacity_chunks / 100)) {}

bool Lirs::use(uint32_t chunk) {
    switch (kind_[chunk]) {
    case Kind::lir:
        s_.move_to_front(chunk);
        prune();
        return true;
    case Kind::hir: return use_hir(chunk);
    default: miss(chunk); return false;
    }
}

bool Lirs::use_hir(uint32_t chunk) {
    if (s_.contains(chunk)) {
        q_.remove(chunk);
        become_lir(chunk);
    } else {
        q_.move_to_front(chunk);
        if (lir_chunks_ > 0) s_.push_front(chunk);
        bound_stack();
    }
    return true;
}

void Lirs::miss(uint32_t chunk) {
    if (lirs_ < lir_chunks_) {  // while the memory fills
        s_.push_front(chunk);
        kind_[chunk] = Kind::lir;
        ++lirs_;
        return;
    }
    const bool is_remembered = elsewhere_.remove(chunk);
    if (lirs_ + q_.size() == capacity_) evict();
    if (is_remembered) {
        become_lir(chunk);
    } else {
        kind_[chunk] = Kind::hir;
        q_.push_front(chunk);
        if (lir_chunks_ > 0) s_.push_front(chunk);
    }
    bound_stack();
}

// It is in S; the LIR that was used the longest ago becomes an HIR for it.
void Lirs::become_lir(uint32_t chunk) {
    kind_[chunk] = Kind::lir;
    s_.move_to_front(chunk);
    const uint32_t last = s_.pop_back();
    kind_[last] = Kind::hir;
    q_.push_front(last);
    prune();
}

void Lirs::evict() {
    const uint32_t chunk = q_.pop_back();
    const bool is_remembered = s_.contains(chunk);
    kind_[chunk] = is_remembered ? Kind::hir_elsewhere : Kind::gone;
    if (is_remembered) elsewhere_.push_front(chunk);
}

// So that an LIR is at the bottom of S: an HIR below it was used longer ago than every LIR.
void Lirs::prune() {
    while (!s_.empty() && kind_[s_.back()] != Kind::lir) {
        const uint32_t chunk = s_.pop_back();
        if (elsewhere_.remove(chunk)) kind_[chunk] = Kind::gone;
    }
}

void Lirs::bound_stack() {
    while (s_.size() > 2 * uint64_t{capacity_} && !elsewhere_.empty()) {
        const uint32_t chunk = elsewhere_.pop_back();
        s_.remove(chunk);
        kind_[chunk] = Kind::gone;
    }
}

}  // namespace ciuic::models
