// SPDX-License-Identifier: Apache-2.0
//
// Pages that know what they must hold: every word of a page is made of the seed, the page's number
// and its version, how often it has been rewritten. A check looks at a page's first and last word,
// a rewrite changes these two; the others are written once, so that no page is easy to store.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ciuic::bench {

class PageSet {
public:
    static constexpr uint64_t page_bytes = 4096;

    PageSet(std::span<std::byte> memory, uint64_t seed);

    // Writes every word of every page.
    void fill();
    uint64_t pages() const { return versions_.size(); }
    uint64_t bytes() const { return pages() * page_bytes; }

    // Reads one word: the touch that is timed.
    uint64_t touch(uint64_t page) const { return *word(page, 0); }
    // Counts a page that is not as it was left.
    void check(uint64_t page);
    // The next version. Only the two words that check() looks at.
    void rewrite(uint64_t page);
    uint64_t wrong_pages() const { return wrong_pages_; }

private:
    static constexpr uint64_t words_per_page = page_bytes / sizeof(uint64_t);

    volatile uint64_t* word(uint64_t page, uint64_t index) const {
        return words_ + page * words_per_page + index;
    }
    uint64_t value(uint64_t page, uint64_t index) const;

    volatile uint64_t* words_;
    uint64_t seed_;
    std::vector<uint32_t> versions_;
    uint64_t wrong_pages_ = 0;
};

}  // namespace ciuic::bench
