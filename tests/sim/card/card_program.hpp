// SPDX-License-Identifier: Apache-2.0
//
// What a program does with its memory in each pass over a model: which chunks it uses, in order,
// and how long it computes on them.
//
// The native time of the pass is spread over its steps by the bytes that they use (where reading
// them is what takes the time) or by their weights (where computing is). A step is a matrix, or a
// layer's part of what else there is.
//
//   decode     each layer's weights and then its keys and values; the newest of these are written
//   prefill    the same, keys and values written anew: what the pass before left is given up
//   training   forward (checkpoints written), backward (checkpoints read and given up, gradients
//              written), optimizer (gradients read and given up, its state read and written,
//              weights written anew)
//   denoise    the weights
//
// Not here: sizes and native times (machine/), the run (card_run).
// Threads: any.
#pragma once

#include "base/random.hpp"
#include "machine/bounds.hpp"
#include "machine/model_shape.hpp"

#include <cstdint>
#include <vector>

namespace ciuic::sim {

struct ProgramStep {
    enum class Kind : uint8_t { read, write, give_up };
    Kind kind = Kind::read;
    uint32_t first = 0;
    uint32_t count = 0;  // chunks; 0: none, it only computes
    double seconds = 0;  // native
};

class CardProgram {
public:
    CardProgram(const machine::ModelShape& model, const machine::Load& load,
                const machine::Bounds& bounds, uint64_t chunk_bytes, uint64_t seed);

    uint32_t chunks() const { return chunks_; }
    // All that outlives a pass, written once.
    std::vector<ProgramStep> loading() const;
    // The next pass.
    std::vector<ProgramStep> pass();

private:
    struct Part {
        uint32_t first = 0;
        uint32_t count = 0;
        uint64_t bytes = 0;
    };
    using Steps = std::vector<ProgramStep>;

    Part place(uint64_t bytes, uint64_t chunk_bytes);
    static Part slice(const Part& whole, uint32_t index, uint32_t of);
    void add(Steps& steps, ProgramStep::Kind kind, const Part& part, double seconds) const;
    void add_weights(Steps& steps, uint32_t layer, double seconds) const;
    void add_experts(Steps& steps, uint32_t layer, double seconds);
    Steps inference();
    Steps training() const;

    machine::Load load_;
    double native_s_;
    double optimizer_s_;  // of it
    uint32_t layers_;
    uint32_t experts_;  // of each layer
    uint32_t chunks_ = 0;
    Part weights_;
    Part routed_;
    Part kv_;
    Part gradients_;
    Part optimizer_;
    Part checkpoints_;
    Random random_;
};

}  // namespace ciuic::sim
