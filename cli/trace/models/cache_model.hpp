// SPDX-License-Identifier: Apache-2.0
//
// What a cache would hold: Ciuic's policy, and those that it is compared with, each from its paper.
//
// A use is of one chunk; where it misses, the chunk comes in and another goes, as in paging. All
// chunks are alike in size and cost.
//
// Not here: the words of the table (cli/trace/replay).
// Threads: each model one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace ciuic::models {

class CacheModel {
public:
    virtual ~CacheModel() = default;
    CacheModel() = default;
    CacheModel(const CacheModel&) = delete;
    CacheModel& operator=(const CacheModel&) = delete;

    // Whether it was there.
    virtual bool use(uint32_t chunk) = 0;
};

// `uses` is the whole trace, which outlives the model; only an oracle looks into it.
using Uses = std::span<const uint32_t>;
using MakeModel = std::unique_ptr<CacheModel> (*)(uint32_t capacity_chunks, Uses uses);

struct NamedModel {
    const char* name;
    const char* source;
    MakeModel make;
};

// Belady's, which no policy can do better than, is the last.
std::span<const NamedModel> all_models();
const NamedModel* find_model(std::string_view name);

}  // namespace ciuic::models
