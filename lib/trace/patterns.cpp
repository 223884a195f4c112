// SPDX-License-Identifier: Apache-2.0
#include "trace/patterns.hpp"

#include "base/check.hpp"
#include "limits.hpp"
#include "trace/general_patterns.hpp"
#include "trace/model_patterns.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ciuic::trace {
namespace {

constexpr Parameter common[] = {
    {"noise", 0, 0, 0.9, "share of all uses that go to any chunk at random", false},
    {"gap-us", 100, 0, 1e9, "microseconds from a chunk to the next", false},
};

std::vector<Pattern> all_patterns() {
    std::vector<Pattern> all(general_patterns().begin(), general_patterns().end());
    all.insert(all.end(), model_patterns().begin(), model_patterns().end());
    return all;
}

}  // namespace

std::span<const Pattern> patterns() {
    static const std::vector<Pattern> all = all_patterns();
    return all;
}

std::span<const Parameter> common_parameters() { return common; }

const Pattern* find_pattern(std::string_view name) {
    for (const Pattern& pattern : patterns())
        if (name == pattern.name) return &pattern;
    return nullptr;
}

Values::Values(const Pattern& pattern) : pattern_(&pattern) {
    for (const Parameter& parameter : pattern.parameters)
        values_.push_back({&parameter, parameter.usual});
    for (const Parameter& parameter : common) values_.push_back({&parameter, parameter.usual});
    CIUIC_CHECK(set("noise", pattern.usual_noise).has_value());
}

Status Values::set(std::string_view name, double value) {
    for (Value& own : values_) {
        if (name != own.parameter->name) continue;
        if (!(value >= own.parameter->least && value <= own.parameter->most))
            return Error{Errc::range, 0, "outside its bounds"};
        if (own.parameter->is_whole && value != std::floor(value))
            return Error{Errc::invalid, 0, "not a whole number"};
        own.value = value;
        return {};
    }
    return Error{Errc::invalid, 0, "no parameter of this pattern"};
}

double Values::operator[](std::string_view name) const {
    for (const Value& own : values_)
        if (name == own.parameter->name) return own.value;
    check_failed("a parameter that the pattern has not", __FILE__, __LINE__);
}

void make_pattern(const Values& values, uint64_t seed, Sink& sink) {
    Maker maker(values, seed, sink);
    values.pattern().make(values, maker);
}

Maker::Maker(const Values& values, uint64_t seed, Sink& sink)
    : sink_(sink), random_(seed), gap_ns_(static_cast<uint64_t>(values["gap-us"] * 1000)),
      noise_(static_cast<uint64_t>(values["noise"] * 0x1p32)) {}

// One use too many is let through: whoever writes the trace then says why there is no more.
bool Maker::goes_on() const { return uses_ <= limits::trace_uses_max; }

uint32_t Maker::region(std::string_view name, uint32_t chunks) {
    chunks_.push_back(chunks);
    all_chunks_ += chunks;
    return sink_.region(name, chunks);
}

void Maker::use(Use use) {
    if (noise_ == 0) return emit(use);
    const uint32_t count = std::exchange(use.count, 1);
    for (uint32_t done = 0; done < count; ++done, ++use.chunk) {
        while (random_.chance(noise_, uint64_t{1} << 32)) {
            Use stray;
            uint64_t chunk = random_.below(all_chunks_);
            for (; chunk >= chunks_[stray.region]; ++stray.region) chunk -= chunks_[stray.region];
            stray.chunk = static_cast<uint32_t>(chunk);
            emit(stray);
        }
        emit(use);
    }
}

void Maker::emit(Use use) {
    if (!goes_on()) return;
    use.time_ns = time_ns_;
    sink_.use(use);
    uses_ += use.count;
    time_ns_ += gap_ns_ * use.count;
}

Zipf::Zipf(uint32_t ranks, double alpha) {
    up_to_.reserve(ranks);
    double sum = 0;
    for (uint32_t rank = 1; rank <= ranks; ++rank) up_to_.push_back(sum += std::pow(rank, -alpha));
}

uint32_t Zipf::draw(Random& random) const {
    const double drawn = static_cast<double>(random.next() >> 11) * 0x1p-53 * up_to_.back();
    const auto at = std::upper_bound(up_to_.begin(), up_to_.end() - 1, drawn);
    return static_cast<uint32_t>(at - up_to_.begin());
}

std::vector<uint32_t> shuffled(uint32_t count, Random& random) {
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    for (uint32_t left = count; left > 1; --left)
        std::swap(order[left - 1], order[random.below(left)]);
    return order;
}

}  // namespace ciuic::trace
