// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/path/page_set.hpp"

namespace ciuic::bench {

PageSet::PageSet(std::span<std::byte> memory, uint64_t seed)
    : words_(reinterpret_cast<uint64_t*>(memory.data())), seed_(seed),
      versions_(memory.size() / page_bytes) {}

uint64_t PageSet::value(uint64_t page, uint64_t index) const {
    uint64_t mixed = seed_ + (page * words_per_page + index + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u + versions_[page];
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

void PageSet::fill() {
    for (uint64_t page = 0; page < pages(); ++page)
        for (uint64_t index = 0; index < words_per_page; ++index)
            *word(page, index) = value(page, index);
}

void PageSet::check(uint64_t page) {
    constexpr uint64_t last = words_per_page - 1;
    wrong_pages_ += *word(page, 0) != value(page, 0) || *word(page, last) != value(page, last);
}

void PageSet::rewrite(uint64_t page) {
    constexpr uint64_t last = words_per_page - 1;
    ++versions_[page];
    *word(page, 0) = value(page, 0);
    *word(page, last) = value(page, last);
}

}  // namespace ciuic::bench
