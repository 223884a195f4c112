// SPDX-License-Identifier: Apache-2.0
//
// Mixed: every thread draws its next operation. The weights are drawn per seed, and a third of
// them is zero: a feature that is off lets the others go where they otherwise never get.
#include "tests/sim/workload.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

namespace ciuic::sim {

namespace {

constexpr size_t op_kinds = static_cast<size_t>(OpKind::die) + 1;
// The largest weight of each kind, in the order of OpKind.
constexpr std::array<uint32_t, op_kinds> weights_max{64, 32, 8, 12, 6, 4, 6, 6, 1, 1};

class Mixed final : public Workload {
public:
    Mixed(const WorkloadView& view, Random random) : view_(view), random_(random) {
        for (size_t kind = 0; kind < op_kinds; ++kind)
            if (!random_.chance(1, 3))
                weights_[kind] = 1 + static_cast<uint32_t>(random_.below(weights_max[kind]));
        if (weights_[0] + weights_[1] == 0) weights_[0] = weights_max[0];
        // A death ends what the others have built up: rare even among operations that are drawn.
        if (!random_.chance(1, 4)) weights_.back() = 0;
        if (!random_.chance(1, 4)) weights_[op_kinds - 2] = 0;
        total_ = std::accumulate(weights_.begin(), weights_.end(), 0u);
        writes_of_8_ = static_cast<uint32_t>(random_.below(8));
        hot_ = 1 + static_cast<uint32_t>(random_.below(view.chunks));
        stray_ = random_.chance(1, 4);
        long_ = random_.chance(1, 2);
        floods_ = random_.chance(1, 16);
    }

    void begin(uint32_t) override {}

    Op next(uint32_t program, uint32_t) override {
        if (view_.oracle.promised_max(program) == 0) return promise(program, 0);
        Op op;
        op.kind = draw_kind();
        const uint32_t any = draw_chunk();
        if (op.kind == OpKind::promise) return promise(program, any);
        op.hold = static_cast<uint32_t>(random_.below(random_.chance(1, 16) ? 200 : 8));
        if (op.kind >= OpKind::rest) return op;
        if (stray_ && random_.chance(1, 32)) {
            op.kind = OpKind::touch;
            op.first = any;
            return with_access(op, 1);
        }
        const std::optional<uint32_t> live = live_from(program, any);
        if (!live) return promise(program, any);
        op.first = *live;
        op.count = live_run(program, *live, draw_count(op.kind));
        op.waits = random_.chance(7, 8);
        if (floods_ && !op.waits) op.times = 1 + static_cast<uint32_t>(random_.below(80));
        return with_access(op, op.count);
    }

private:
    OpKind draw_kind() {
        uint64_t draw = random_.below(total_);
        size_t kind = 0;
        while (draw >= weights_[kind]) draw -= weights_[kind++];
        return static_cast<OpKind>(kind);
    }

    uint32_t draw_chunk() {
        return static_cast<uint32_t>(random_.below(random_.chance(3, 4) ? hot_ : view_.chunks));
    }

    uint32_t draw_count(OpKind kind) {
        if (kind == OpKind::acquire && random_.chance(1, 16)) return view_.frames;
        return 1 + static_cast<uint32_t>(random_.below(random_.chance(1, 4) ? 8 : 2));
    }

    Op promise(uint32_t program, uint32_t from) {
        Op op{.kind = OpKind::promise};
        op.first = from;
        while (op.first + 1 < view_.chunks && !view_.oracle.is_vacant(program, op.first))
            ++op.first;
        const uint32_t room = view_.chunks - op.first;
        op.count = 1 + static_cast<uint32_t>(random_.below(std::min(room, view_.promise_max)));
        return op;
    }

    std::optional<uint32_t> live_from(uint32_t program, uint32_t from) const {
        for (uint32_t turn = 0; turn < view_.chunks; ++turn)
            if (view_.oracle.is_live(program, (from + turn) % view_.chunks))
                return (from + turn) % view_.chunks;
        return std::nullopt;
    }

    uint32_t live_run(uint32_t program, uint32_t first, uint32_t wanted) const {
        uint32_t count = 1;
        while (count < wanted && first + count < view_.chunks &&
               view_.oracle.is_live(program, first + count))
            ++count;
        return count;
    }

    Op with_access(Op op, uint32_t chunks) {
        const uint32_t words = chunks * view_.oracle.words_per_chunk();
        const uint64_t words_max = long_ && random_.chance(1, 4) ? words : 48;
        op.word = static_cast<uint32_t>(random_.below(words));
        op.words = std::min(words - op.word, 1 + static_cast<uint32_t>(random_.below(words_max)));
        op.writes = random_.below(8) < writes_of_8_;
        op.values = random_.chance(3, 4)   ? Values::fresh
                    : random_.chance(1, 2) ? Values::same
                                           : Values::zero;
        return op;
    }

    WorkloadView view_;
    Random random_;
    std::array<uint32_t, op_kinds> weights_{};
    uint64_t total_ = 0;
    uint32_t writes_of_8_ = 0;
    uint32_t hot_ = 1;  // chunks that most accesses go to
    bool stray_ = false;
    bool long_ = false;
    bool floods_ = false;  // asks many times at once and waits for no answer
};

}  // namespace

std::unique_ptr<Workload> make_mixed(const WorkloadView& view, Random random) {
    return std::make_unique<Mixed>(view, random);
}

}  // namespace ciuic::sim
