// SPDX-License-Identifier: Apache-2.0
//
// Hostile<T>: a T in memory that another process may change at any instant. fetch() copies it once
// into private storage; the copy is then checked and used, and the memory never read again for the
// same purpose. There is no other way to read it.
//
// Threads: any. Each word is copied by one atomic load, so a value of one word is never torn, and
// one of several words is as inconsistent as its writer likes: that is for the checks to find.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ciuic {

template <typename T> class Hostile {
    static_assert(std::is_trivially_copyable_v<T>);
    using Word = std::conditional_t<alignof(T) == alignof(uint64_t), uint64_t, uint32_t>;
    static constexpr size_t word_bytes = alignof(Word);
    static_assert(alignof(T) == word_bytes && sizeof(T) % word_bytes == 0);
    static_assert(std::atomic<Word>::is_always_lock_free);
    static constexpr size_t words = sizeof(T) / word_bytes;

public:
    // For the reader, who does not trust the writer. The order is that of every word's load.
    T fetch(std::memory_order order = std::memory_order_relaxed) const {
        std::array<Word, words> copy{};
        for (size_t word = 0; word < words; ++word) copy[word] = words_[word].load(order);
        return std::bit_cast<T>(copy);
    }

    // For the writer. The order is that of every word's store.
    void put(const T& value, std::memory_order order = std::memory_order_relaxed) {
        const auto copy = std::bit_cast<std::array<Word, words>>(value);
        for (size_t word = 0; word < words; ++word) words_[word].store(copy[word], order);
    }

    // For writers that count, from several threads.
    void add(T amount) requires std::is_same_v<T, Word> {
        words_[0].fetch_add(amount, std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<Word>, words> words_{};
};

static_assert(sizeof(Hostile<uint32_t>) == 4 && sizeof(Hostile<uint64_t>) == 8);

}  // namespace ciuic
