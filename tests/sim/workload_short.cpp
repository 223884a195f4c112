// SPDX-License-Identifier: Apache-2.0
//
// Short: every sequence of `length` operations out of a fixed list on chunks A and B, counted up
// by number, each cut off by a death after every one of its operations or run to its end. Most
// bugs of storage systems need no more than three operations (CrashMonkey).
#include "tests/sim/workload.hpp"

#include <array>
#include <vector>

namespace ciuic::sim {

namespace {

constexpr uint32_t a = 0;
constexpr uint32_t b = 1;
constexpr uint32_t length = 4;
constexpr uint32_t both = 2;

// An operation without an access spans from its chunk over `count`.
struct Template {
    OpKind kind;
    uint32_t first;
    uint32_t count;
    bool writes;
    bool waits;
};
constexpr auto templates = std::to_array<Template>({
    {OpKind::touch, a, 1, false, true},
    {OpKind::touch, a, 1, true, true},
    {OpKind::touch, a, both, true, true},
    {OpKind::acquire, a, 1, true, true},
    {OpKind::acquire, a, both, false, true},
    {OpKind::evict, a, both, false, true},
    {OpKind::evict, a, 1, false, false},
    {OpKind::prefetch, a, both, false, false},
    {OpKind::clear, a, 1, false, true},
    {OpKind::clear, a, both, false, false},
    {OpKind::discard, b, 1, false, false},
    {OpKind::promise, b, 1, false, true},
});
constexpr uint64_t sequences = [] {
    uint64_t count = 1;
    for (uint32_t place = 0; place < length; ++place) count *= templates.size();
    return count;
}();
// Sequences that one run takes, per program: a prime step apart, so that runs share none for long.
constexpr uint64_t stride = 7919;

class Short final : public Workload {
public:
    Short(const WorkloadView& view, uint64_t number)
        : view_(view), random_(number), number_(number), programs_(view.programs) {}

    // Lives are numbered over all programs: neighbours in time are different sequences.
    void begin(uint32_t program) override {
        programs_[program] = {.number = number_ + lives_++ * stride};
    }

    Op next(uint32_t program, uint32_t thread) override {
        Program& facts = programs_[program];
        if (!facts.promised) {
            facts.promised = true;
            return {.kind = OpKind::promise, .first = a, .count = both};
        }
        // The second thread looks on while the first one works.
        if (thread > 0) return onlooker(program);
        const uint32_t death = static_cast<uint32_t>(facts.number / sequences % (length + 2));
        if (facts.place == death) return {.kind = OpKind::die};
        if (facts.place >= length) return {.kind = OpKind::exit};
        uint64_t digits = facts.number % sequences;
        for (uint32_t place = 0; place < facts.place; ++place) digits /= templates.size();
        ++facts.place;
        return from(program, templates[digits % templates.size()]);
    }

private:
    struct Program {
        uint64_t number = 0;
        uint32_t place = 0;  // in the sequence
        bool promised = false;
    };

    Op onlooker(uint32_t program) {
        const auto chunk = static_cast<uint32_t>(random_.below(both));
        if (!random_.chance(1, 4) || !view_.oracle.is_live(program, chunk))
            return {.kind = OpKind::rest, .hold = 4};
        return {.kind = OpKind::touch, .first = chunk, .word = 0, .words = 8};
    }

    // What the sequence says, as far as the chunks are there for it.
    Op from(uint32_t program, const Template& wanted) {
        Op op{.kind = wanted.kind, .first = wanted.first, .count = wanted.count};
        op.writes = wanted.writes;
        op.waits = wanted.waits;
        if (op.kind == OpKind::promise) return op;
        while (op.count > 1 && !view_.oracle.is_live(program, op.first + op.count - 1)) --op.count;
        if (!view_.oracle.is_live(program, op.first)) op.kind = OpKind::rest;
        op.words = op.count * view_.oracle.words_per_chunk();
        return op;
    }

    WorkloadView view_;
    Random random_;
    uint64_t number_;
    uint64_t lives_ = 0;
    std::vector<Program> programs_;
};

}  // namespace

std::unique_ptr<Workload> make_short(const WorkloadView& view, uint64_t number) {
    return std::make_unique<Short>(view, number);
}

}  // namespace ciuic::sim
