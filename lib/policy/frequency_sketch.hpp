// SPDX-License-Identifier: Apache-2.0
//
// Frequency sketch: about how often each chunk was used lately, of any number of chunks in half a
// byte for each of eight times the frames. A chunk has four counters among all of them; the least
// is the estimate, as the others are shared with more. Counters are halved as time goes by.
//
// After Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch" (2005),
// with conservative update and the ageing of Einziger, Friedman and Manes, "TinyLFU" (2017); unlike
// there, one word is aged at a time, so that no use pays for all.
//
// Threads: one. Pure: the memory is the caller's, zeros at first.
#pragma once

#include "base/check.hpp"
#include "base/units.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace ciuic {

class FrequencySketch {
public:
    static constexpr uint32_t estimate_max = 15;

    // words: 16 counters each; a power of two.
    explicit FrequencySketch(std::span<uint64_t> words) : words_(words) {
        CIUIC_CHECK(is_power_of_two(words.size()));
    }

    uint32_t estimate(ChunkIndex chunk) const {
        uint32_t least = estimate_max;
        for (const Place place : places_of(chunk)) least = std::min(least, count_at(place));
        return least;
    }

    void used(ChunkIndex chunk) {
        const auto places = places_of(chunk);
        const uint32_t least = estimate(chunk);
        if (least < estimate_max) {
            for (const Place place : places)
                if (count_at(place) == least) words_[place.word] += uint64_t{1} << place.shift;
        }
        if (++uses_ % uses_per_ageing == 0) age(uses_ / uses_per_ageing);
    }

private:
    struct Place {
        size_t word;
        uint32_t shift;
    };
    // Each counter is halved once in ten uses for each frame: two counters in a word for each.
    static constexpr uint64_t uses_per_ageing = 20;

    std::array<Place, 4> places_of(ChunkIndex chunk) const {
        std::array<Place, 4> places{};
        uint64_t mixed = (uint64_t{chunk.value} + 1) * 0x9e3779b97f4a7c15u;
        for (Place& place : places) {
            mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
            place = {static_cast<size_t>(mixed >> 36) & (words_.size() - 1),
                     static_cast<uint32_t>(mixed >> 32) % 16 * 4};
        }
        return places;
    }
    uint32_t count_at(Place place) const {
        return static_cast<uint32_t>(words_[place.word] >> place.shift) & estimate_max;
    }
    void age(uint64_t turn) {
        uint64_t& word = words_[turn & (words_.size() - 1)];
        word = (word >> 1) & 0x7777777777777777u;
    }

    std::span<uint64_t> words_;
    uint64_t uses_ = 0;
};

}  // namespace ciuic
