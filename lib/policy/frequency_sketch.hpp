// SPDX-License-Identifier: Apache-2.0
//
// Frequency sketch: about how often each chunk was used lately, of any number of chunks in half a
// byte for each of sixteen times the frames. A chunk has four counters among all of them; the least
// is the estimate, as the others are shared with more. Counters are halved as time goes by.
//
// After Cormode and Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch" (2005),
// with conservative update and the ageing of Einziger, Friedman and Manes, "TinyLFU" (2017); unlike
// there, they are halved a few at a time, so that no use pays for all.
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

    // words: 16 counters each; one for each frame.
    explicit FrequencySketch(std::span<uint64_t> words) : words_(words), halved_(words.size()) {
        CIUIC_CHECK(!words.empty() && words.size() < (1u << 31));
    }

    uint32_t estimate(ChunkIndex chunk) const {
        uint32_t least = estimate_max;
        for (const Place place : places_of(chunk)) least = std::min(least, count_at(place));
        return least;
    }

    void used(ChunkIndex chunk) {
        const auto places = places_of(chunk);
        uint32_t least = estimate_max;
        for (const Place place : places) least = std::min(least, count_at(place));
        for (const Place place : places)
            if (count_at(place) == least && raw_at(place) < estimate_max)
                words_[place.word] += uint64_t{1} << place.shift;
        ++uses_;
        if (halved_ == words_.size() && uses_ >= uses_between_halvings * words_.size()) {
            uses_ = 0;
            halved_ = 0;
        }
        halve_some();
    }

private:
    struct Place {
        size_t word;
        uint32_t shift;
    };
    static constexpr uint64_t uses_between_halvings = 10;  // for each frame
    static constexpr uint32_t halved_per_use = 8;          // words

    std::array<Place, 4> places_of(ChunkIndex chunk) const {
        std::array<Place, 4> places{};
        uint64_t mixed = (uint64_t{chunk.value} + 1) * 0x9e3779b97f4a7c15u;
        for (Place& place : places) {
            mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
            place = {static_cast<size_t>((mixed >> 32) * words_.size() >> 32),
                     static_cast<uint32_t>(mixed) % 16 * 4};
        }
        return places;
    }
    uint32_t raw_at(Place place) const {
        return static_cast<uint32_t>(words_[place.word] >> place.shift) & estimate_max;
    }
    // As it is, or will be when its word's turn to be halved has come.
    uint32_t count_at(Place place) const {
        return place.word < halved_ ? raw_at(place) : raw_at(place) / 2;
    }
    void halve_some() {
        for (uint32_t left = halved_per_use; left > 0 && halved_ < words_.size(); --left) {
            words_[halved_] = (words_[halved_] >> 1) & 0x7777777777777777u;
            ++halved_;
        }
    }

    std::span<uint64_t> words_;
    uint64_t uses_ = 0;  // since the last halving began
    size_t halved_;      // words before this one have been halved; all: no halving is under way
};

}  // namespace ciuic
