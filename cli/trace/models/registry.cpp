// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/models/adaptive.hpp"
#include "cli/trace/models/arc.hpp"
#include "cli/trace/models/belady.hpp"
#include "cli/trace/models/clock.hpp"
#include "cli/trace/models/lirs.hpp"
#include "cli/trace/models/lru.hpp"
#include "cli/trace/models/s3_fifo.hpp"
#include "cli/trace/models/sieve.hpp"
#include "cli/trace/models/two_q.hpp"
#include "cli/trace/models/w_tinylfu.hpp"

namespace ciuic::models {
namespace {

template <typename Model>
std::unique_ptr<CacheModel> make(uint32_t capacity_chunks, [[maybe_unused]] Uses uses) {
    if constexpr (std::is_constructible_v<Model, uint32_t, Uses>)
        return std::make_unique<Model>(capacity_chunks, uses);
    else
        return std::make_unique<Model>(capacity_chunks);
}

constexpr NamedModel all[] = {
    {"lru", "least recently used", make<Lru>},
    {"clock", "Corbató 1968", make<Clock>},
    {"arc", "Megiddo and Modha 2003", make<Arc>},
    {"2q", "Johnson and Shasha 1994", make<TwoQ>},
    {"sieve", "Zhang et al. 2024", make<Sieve>},
    {"s3-fifo", "Yang et al. 2023", make<S3Fifo>},
    {"w-tinylfu", "Einziger et al. 2017", make<WTinyLfu>},
    {"lirs", "Jiang and Zhang 2002", make<Lirs>},
    {"ciuic", "the best of three experts", make<Adaptive>},
    {"belady", "Belady 1966: the optimum", make<Belady>},
};

}  // namespace

std::span<const NamedModel> all_models() { return all; }

const NamedModel* find_model(std::string_view name) {
    for (const NamedModel& model : all)
        if (name == model.name) return &model;
    return nullptr;
}

}  // namespace ciuic::models
