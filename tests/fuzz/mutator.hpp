// SPDX-License-Identifier: Apache-2.0
//
// Makes inputs from a corpus: an entry, or two spliced, with a few changes. The same seed gives the
// same inputs on every machine.
//
// Threads: one.
#pragma once

#include "base/random.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ciuic::fuzz {

using Bytes = std::vector<uint8_t>;

class Mutator {
public:
    static constexpr size_t length_max = 4096;

    // Without a corpus inputs grow from nothing.
    Mutator(std::vector<Bytes> corpus, uint64_t seed);

    // Good until the next call.
    const Bytes& next();

private:
    const Bytes& pick();
    size_t place();  // a position in the input, which is not empty
    void change();
    void overwrite();
    void insert();

    std::vector<Bytes> corpus_;
    Random random_;
    Bytes input_;
};

}  // namespace ciuic::fuzz
