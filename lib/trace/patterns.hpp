// SPDX-License-Identifier: Apache-2.0
//
// Made traces: kinds of program whose uses of memory are known, each by its parameters and a seed.
//
// The same pattern, values and seed make the same trace. Patterns are for judging policies, so
// nothing that decides what to keep may know of them.
//
// Not here: the shapes of published models (cli/plan).
// Threads: any; each maker its own.
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"
#include "trace/record.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace ciuic::trace {

struct Parameter {
    const char* name;
    double usual;
    double least;
    double most;
    const char* meaning;
    bool is_whole = true;
};

class Values;
class Maker;

struct Pattern {
    const char* name;
    const char* meaning;
    std::span<const Parameter> parameters;
    double usual_noise;
    void (*make)(const Values& values, Maker& maker);
};

std::span<const Pattern> patterns();
// Those that every pattern has, behind its own: noise, gap-us.
std::span<const Parameter> common_parameters();
const Pattern* find_pattern(std::string_view name);

// The parameters of one pattern, the usual ones until they are set.
class Values {
public:
    explicit Values(const Pattern& pattern);

    // Error: invalid: no such parameter, or not a whole number; range: outside its bounds.
    Status set(std::string_view name, double value);

    const Pattern& pattern() const { return *pattern_; }
    double operator[](std::string_view name) const;
    uint32_t whole(std::string_view name) const { return static_cast<uint32_t>((*this)[name]); }

private:
    const Parameter* find(std::string_view name) const;

    struct Value {
        const Parameter* parameter;
        double value;
    };
    const Pattern* pattern_;
    std::vector<Value> values_;
};

void make_pattern(const Values& values, uint64_t seed, Sink& sink);

// What patterns are written with: a clock, noise, and an end where a trace has no more room.
class Maker {
public:
    Maker(const Values& values, uint64_t seed, Sink& sink);

    Random& random() { return random_; }
    // While there is room for more uses.
    bool goes_on() const;
    uint32_t region(std::string_view name, uint32_t chunks);
    void phase(std::string_view name) { sink_.phase(name); }
    void read(uint32_t region, uint32_t chunk, uint32_t count = 1) {
        use({0, 0, region, chunk, count, false});
    }
    void write(uint32_t region, uint32_t chunk, uint32_t count = 1) {
        use({0, 0, region, chunk, count, true});
    }
    void wait(uint64_t time_ns) { time_ns_ += time_ns; }

private:
    void use(Use use);
    void emit(Use use);

    Sink& sink_;
    Random random_;
    uint64_t gap_ns_;
    uint64_t noise_;  // of 2^32 uses
    uint64_t time_ns_ = 0;
    uint64_t uses_ = 0;
    std::vector<uint32_t> chunks_;  // by region
    uint64_t all_chunks_ = 0;
};

// Ranks from 0, the share of rank r proportional to 1 / (r + 1)^alpha.
class Zipf {
public:
    Zipf(uint32_t ranks, double alpha);
    uint32_t draw(Random& random) const;

private:
    std::vector<double> up_to_;
};

// 0 .. count-1 in an order of their own.
std::vector<uint32_t> shuffled(uint32_t count, Random& random);

}  // namespace ciuic::trace
