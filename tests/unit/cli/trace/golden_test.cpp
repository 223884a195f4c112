// SPDX-License-Identifier: Apache-2.0
//
// Goal: the models are the policies that others know by these names. Method: the hit ratios of an
// independent simulator, noted down, on the traces that every pattern makes.
#include "cli/trace/models/cache_model.hpp"

#include "tests/unit/trace/flat_trace.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace ciuic::models {
namespace {

// The figures have four decimals; LIRS forgets what left the memory in another case (lirs.hpp),
// which makes a thousandth of a difference.
double tolerance(const std::string& policy) { return policy == "lirs" ? 0.002 : 0.0002; }

TEST(CacheModels, HitAsOftenAsTheyDoInAnIndependentSimulator) {
    std::ifstream file(CIUIC_GOLDEN_DIR "/libcachesim.txt");
    ASSERT_TRUE(file.is_open());
    std::map<std::string, std::vector<uint32_t>> traces;
    std::set<std::string> policies;
    std::string line;
    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        std::string pattern;
        std::string policy;
        uint32_t chunks = 0;
        double hit_ratio = -1;
        ASSERT_TRUE(words >> pattern >> chunks >> policy >> hit_ratio) << line;
        auto& uses = traces[pattern];
        if (uses.empty()) uses = trace::test::made(pattern.c_str(), {}).chunks;
        const NamedModel* model = find_model(policy);
        ASSERT_NE(model, nullptr) << line;
        const auto cache = model->make(chunks, uses);
        size_t hits = 0;
        for (const uint32_t chunk : uses) hits += cache->use(chunk);
        EXPECT_NEAR(static_cast<double>(hits) / static_cast<double>(uses.size()), hit_ratio,
                    tolerance(policy))
            << line;
        policies.insert(policy);
    }
    EXPECT_GE(traces.size(), 13u);
    EXPECT_GE(policies.size(), 8u);  // all but W-TinyLFU
}

}  // namespace
}  // namespace ciuic::models
