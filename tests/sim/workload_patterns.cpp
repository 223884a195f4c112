// SPDX-License-Identifier: Apache-2.0
//
// Patterns: what real programs do, over more memory than there are frames. Each program draws one
// pattern per life; its threads follow it side by side.
#include "tests/sim/workload.hpp"

#include <algorithm>
#include <vector>

namespace ciuic::sim {

namespace {

enum class Pattern : uint8_t {
    cyclic,  // 0 1 2 .. n-1 0 1 2 ..
    order,   // some other order of no neighbours, over and over
    zigzag,  // up, then down
    up,      // one stream upwards, with strides that skip now and then
    down,
    hot_cold,   // a small hot set, and a slow scan of the rest
    ping_pong,  // bursts and rests: two of these together exceed the frames in turns
    frames,     // as many chunks as there are frames, and one more
};
constexpr uint64_t patterns = 8;

class Patterns final : public Workload {
public:
    Patterns(const WorkloadView& view, Random random)
        : view_(view), random_(random), programs_(view.programs) {}

    void begin(uint32_t program) override {
        Program& facts = programs_[program];
        facts = {};
        facts.pattern = static_cast<Pattern>(random_.below(patterns));
        facts.chunks = std::min(view_.chunks, view_.promise_max);
        if (facts.pattern == Pattern::frames)
            facts.chunks = std::min(facts.chunks, view_.frames + 1);
        facts.writes_of_8 = static_cast<uint32_t>(random_.below(9));
        facts.acquires_of_8 = random_.chance(1, 2) ? static_cast<uint32_t>(random_.below(9)) : 0;
        facts.lives = random_.chance(1, 8) ? 100 + static_cast<uint32_t>(random_.below(200)) : 0;
    }

    Op next(uint32_t program, uint32_t) override {
        Program& facts = programs_[program];
        if (!facts.promised) {
            facts.promised = true;
            return {.kind = OpKind::promise, .first = 0, .count = facts.chunks};
        }
        ++facts.steps;
        if (facts.lives > 0 && facts.steps == facts.lives) return {.kind = OpKind::die};
        if (facts.pattern == Pattern::ping_pong && facts.steps % 48 == 0)
            return {.kind = OpKind::rest, .hold = 64};
        Op op;
        op.first = next_chunk(facts);
        if (!view_.oracle.is_live(program, op.first))
            return {.kind = OpKind::promise, .first = op.first, .count = 1};
        op.kind = random_.below(8) < facts.acquires_of_8 ? OpKind::acquire : OpKind::touch;
        if (random_.chance(1, 64)) op.kind = OpKind::evict;
        if (random_.chance(1, 64)) op.kind = OpKind::prefetch;
        if (random_.chance(1, 128)) op.kind = OpKind::clear;
        const uint32_t words = view_.oracle.words_per_chunk();
        op.word = static_cast<uint32_t>(random_.below(words));
        op.words = 1 + static_cast<uint32_t>(random_.below(words - op.word));
        op.writes = random_.below(8) < facts.writes_of_8;
        op.hold = static_cast<uint32_t>(random_.below(4));
        return op;
    }

private:
    struct Program {
        Pattern pattern = Pattern::cyclic;
        bool promised = false;
        uint32_t chunks = 1;
        uint32_t at = 0;
        int32_t step = 1;
        uint32_t steps = 0;
        uint32_t writes_of_8 = 0;
        uint32_t acquires_of_8 = 0;
        uint32_t lives = 0;  // operations until it is killed; 0: it is not
    };

    uint32_t next_chunk(Program& facts) {
        const uint32_t last = facts.chunks - 1;
        const uint32_t now = facts.at;
        switch (facts.pattern) {
        case Pattern::zigzag:
            if (facts.step > 0 ? now == last : now == 0) facts.step = -facts.step;
            if (last > 0) facts.at = static_cast<uint32_t>(static_cast<int32_t>(now) + facts.step);
            return now;
        case Pattern::up:
            facts.at = (now + (random_.chance(1, 16) ? 3 : 1)) % facts.chunks;
            return now;
        case Pattern::down: facts.at = now == 0 ? last : now - 1; return now;
        case Pattern::hot_cold:
            if (!random_.chance(1, 4))
                return static_cast<uint32_t>(random_.below(std::min(4u, facts.chunks)));
            facts.at = (now + 1) % facts.chunks;
            return now;
        case Pattern::order: facts.at = (now + 7) % facts.chunks; return now;
        case Pattern::cyclic:
        case Pattern::ping_pong:
        case Pattern::frames: facts.at = (now + 1) % facts.chunks; return now;
        }
        return 0;
    }

    WorkloadView view_;
    Random random_;
    std::vector<Program> programs_;
};

}  // namespace

std::unique_ptr<Workload> make_patterns(const WorkloadView& view, Random random) {
    return std::make_unique<Patterns>(view, random);
}

}  // namespace ciuic::sim
