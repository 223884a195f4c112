// SPDX-License-Identifier: Apache-2.0
//
// A made trace in memory, with every promise of a sink's callers checked.
//
// Threads: one.
#pragma once

#include "trace/patterns.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ciuic::trace::test {

class FlatTrace final : public Sink {
public:
    std::vector<uint32_t> chunks;  // each use, in the count of all chunks
    std::vector<std::pair<size_t, std::string>> phases;
    std::vector<Region> regions;
    size_t writes = 0;
    uint64_t time_ns = 0;

    uint32_t region(std::string_view name, uint32_t count) override {
        EXPECT_GT(count, 0u);
        regions.push_back({std::string(name), count, total_});
        total_ += count;
        return static_cast<uint32_t>(regions.size() - 1);
    }
    void phase(std::string_view name) override { phases.emplace_back(chunks.size(), name); }
    void use(const Use& use) override {
        ASSERT_LT(use.region, regions.size());
        ASSERT_GT(use.count, 0u);
        ASSERT_LE(uint64_t{use.chunk} + use.count, regions[use.region].chunks);
        ASSERT_GE(use.time_ns, time_ns);
        time_ns = use.time_ns;
        for (uint32_t at = 0; at < use.count; ++at)
            chunks.push_back(regions[use.region].first_chunk + use.chunk + at);
        if (use.is_write) writes += use.count;
    }
    uint32_t total() const { return total_; }

private:
    uint32_t total_ = 0;
};

using Settings = std::vector<std::pair<const char*, double>>;

inline FlatTrace made(const char* name, const Settings& settings, uint64_t seed = 1) {
    const Pattern* pattern = find_pattern(name);
    FlatTrace trace;
    if (!pattern) {
        ADD_FAILURE() << name;
        return trace;
    }
    Values values(*pattern);
    for (const auto& [parameter, value] : settings)
        EXPECT_TRUE(values.set(parameter, value).has_value()) << parameter;
    make_pattern(values, seed, trace);
    return trace;
}

}  // namespace ciuic::trace::test
