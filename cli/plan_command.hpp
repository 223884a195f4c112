// SPDX-License-Identifier: Apache-2.0
//
// `ciuic plan`: what a model that is larger than the memory can reach on a card, before anyone
// tries.
//
// Not here: the arithmetic (machine), the words (plan/print).
// Threads: one.
#pragma once

#include <cstdint>
#include <string>

namespace ciuic::cli {

struct PlanOptions {
    std::string model;
    std::string budget;
    std::string card;
    std::string host;  // empty: the card's usual one
    std::string work;  // empty: decode, or denoise for a diffusion model
    uint32_t batch = 1;
    uint32_t context = 2048;
    double wanted_percent = 90;
    bool json = false;
    bool list = false;
    bool founding = false;
};

// 0: here is the plan; 125: the options make no sense.
int run_plan(const PlanOptions& options);

}  // namespace ciuic::cli
