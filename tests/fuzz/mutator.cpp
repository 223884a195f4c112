// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/mutator.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace ciuic::fuzz {
namespace {

constexpr uint64_t changes_max = 6;
constexpr size_t insertion_max = 128;

// Where checks have their edges: zero, ends of widths, the protocol's own bounds.
constexpr std::array<uint64_t, 22> edges{
    0,          1,          2,          7,          8,          16,          63,   64,
    65,         255,        256,        257,        0x7fff,     0xffff,      4096, 0x7fffffff,
    0x80000000, 0xffffffff, 0xfffffffe, 1ull << 32, 1ull << 63, ~uint64_t{0}};

}  // namespace

Mutator::Mutator(std::vector<Bytes> corpus, uint64_t seed)
    : corpus_(std::move(corpus)), random_(seed) {
    if (corpus_.empty()) corpus_.emplace_back();
}

const Bytes& Mutator::pick() { return corpus_[random_.below(corpus_.size())]; }

size_t Mutator::place() { return random_.below(input_.size()); }

const Bytes& Mutator::next() {
    input_ = pick();
    if (random_.chance(1, 4)) {
        const Bytes& other = pick();
        const size_t kept = random_.below(input_.size() + 1);
        const size_t taken = random_.below(other.size() + 1);
        input_.resize(kept);
        input_.insert(input_.end(), other.end() - static_cast<std::ptrdiff_t>(taken), other.end());
    }
    for (uint64_t count = random_.below(changes_max); count > 0; --count) change();
    if (input_.size() > length_max) input_.resize(length_max);
    return input_;
}

void Mutator::change() {
    if (input_.empty()) return insert();
    switch (random_.below(8)) {
    case 0: input_[place()] ^= static_cast<uint8_t>(1u << random_.below(8)); break;
    case 1: input_[place()] = static_cast<uint8_t>(random_.next()); break;
    case 2:
    case 3: overwrite(); break;
    case 4: insert(); break;
    case 5: {
        const size_t first = place();
        const size_t count = 1 + random_.below(std::min<size_t>(input_.size() - first, 64));
        input_.erase(input_.begin() + static_cast<std::ptrdiff_t>(first),
                     input_.begin() + static_cast<std::ptrdiff_t>(first + count));
        break;
    }
    case 6: input_.resize(random_.below(input_.size() + 1)); break;
    default: {
        const size_t from = place();
        const size_t to = place();
        const size_t room = input_.size() - std::max(from, to);
        std::memmove(&input_[to], &input_[from], 1 + random_.below(room));
    }
    }
}

// An edge, or near one, in any width.
void Mutator::overwrite() {
    const uint64_t value = edges[random_.below(edges.size())] + random_.below(3) - 1;
    const size_t to = place();
    const size_t width = size_t{1} << random_.below(4);
    std::memcpy(&input_[to], &value, std::min(width, input_.size() - to));
}

void Mutator::insert() {
    const auto at = static_cast<std::ptrdiff_t>(random_.below(input_.size() + 1));
    Bytes fresh(1 + random_.below(insertion_max));
    const Bytes& other = pick();
    const bool copies = !other.empty() && random_.chance(1, 2);
    const size_t from = copies ? random_.below(other.size()) : 0;
    for (size_t index = 0; index < fresh.size(); ++index)
        fresh[index] =
            copies ? other[(from + index) % other.size()] : static_cast<uint8_t>(random_.next());
    input_.insert(input_.begin() + at, fresh.begin(), fresh.end());
}

}  // namespace ciuic::fuzz
