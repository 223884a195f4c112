// SPDX-License-Identifier: Apache-2.0
//
// One question and its answer: this model, in so much memory of this card, in this host.
//
// Not here: words and columns (print), the numbers themselves (machine).
// Threads: any.
#pragma once

#include "cli/plan/files.hpp"
#include "machine/remedies.hpp"
#include "machine/work.hpp"

#include <string>

namespace ciuic::cli::plan {

struct Question {
    std::string model;
    std::string card;
    std::string host;  // empty: the card's usual one
    std::string work;  // empty: decode, or denoise for a diffusion model
    uint64_t budget_bytes = 0;
    uint32_t batch = 1;
    uint32_t context = 2048;
    double wanted_fraction = 0.9;  // of native
};

struct Plan {
    ModelFile model;
    CardFile card;
    HostFile host;
    machine::Work work;
    machine::Load load;
    machine::Bounds bounds;
    machine::Remedies remedies;
    uint64_t budget_bytes = 0;
    double wanted_fraction = 0;

    // Whether some lossless way reaches what is wanted: in any host, and in this one.
    bool is_reachable() const;
    bool is_reachable_here() const;
};

const char* name_of(machine::WorkKind kind);

// One line, or nothing where all is well.
std::string make_plan(const Question& question, Plan& plan);

}  // namespace ciuic::cli::plan
