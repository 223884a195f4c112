// SPDX-License-Identifier: Apache-2.0
#include "trace/general_patterns.hpp"

#include <algorithm>
#include <numeric>

namespace ciuic::trace {
namespace {

constexpr double most_chunks = 1 << 24;
constexpr double most_uses = 1 << 28;
constexpr Parameter chunks_of_1000 = {"chunks", 1000, 1, most_chunks, "that are used"};
constexpr Parameter twenty_periods = {"periods", 20, 1, most_uses, "times that all are used"};
constexpr Parameter uses_parameter = {"uses", 40'000, 1, most_uses, "of one chunk each"};
constexpr Parameter alpha_parameter = {
    "alpha", 0.8, 0, 4, "exponent of the popularity; 0: all alike", false};

void use_cycle(Maker& maker, uint32_t region, uint32_t chunks, uint32_t periods) {
    for (uint32_t period = 0; period < periods && maker.goes_on(); ++period)
        maker.read(region, 0, chunks);
}

void use_by_popularity(Maker& maker, uint32_t region, const Zipf& zipf,
                       std::span<const uint32_t> by_rank, uint32_t uses) {
    for (uint32_t use = 0; use < uses && maker.goes_on(); ++use)
        maker.read(region, by_rank[zipf.draw(maker.random())]);
}

constexpr Parameter cyclic_parameters[] = {chunks_of_1000, twenty_periods};

void make_cyclic(const Values& values, Maker& maker) {
    const uint32_t region = maker.region("cycle", values.whole("chunks"));
    use_cycle(maker, region, values.whole("chunks"), values.whole("periods"));
}

// One period is there and back; the chunk at either end is used twice in a row.
void make_zigzag(const Values& values, Maker& maker) {
    const uint32_t chunks = values.whole("chunks");
    const uint32_t region = maker.region("array", chunks);
    for (uint32_t period = 0; period < values.whole("periods") && maker.goes_on(); ++period) {
        maker.read(region, 0, chunks);
        for (uint32_t left = chunks; left > 0 && maker.goes_on(); --left)
            maker.read(region, left - 1);
    }
}

constexpr Parameter uniform_parameters[] = {chunks_of_1000, uses_parameter};

void make_uniform(const Values& values, Maker& maker) {
    const uint32_t region = maker.region("table", values.whole("chunks"));
    for (uint32_t use = 0; use < values.whole("uses") && maker.goes_on(); ++use)
        maker.read(region, static_cast<uint32_t>(maker.random().below(values.whole("chunks"))));
}

constexpr Parameter zipf_parameters[] = {chunks_of_1000, uses_parameter, alpha_parameter};

void make_zipf(const Values& values, Maker& maker) {
    const uint32_t chunks = values.whole("chunks");
    const uint32_t region = maker.region("table", chunks);
    const std::vector<uint32_t> by_rank = shuffled(chunks, maker.random());
    use_by_popularity(maker, region, Zipf(chunks, values["alpha"]), by_rank, values.whole("uses"));
}

constexpr Parameter zipf_scan_parameters[] = {
    chunks_of_1000,
    uses_parameter,
    alpha_parameter,
    {"scanned", 600, 1, most_chunks, "chunks that are read in order, over and over"},
    {"every", 3000, 1, most_uses, "uses by popularity from one scan to the next"},
};

void make_zipf_scan(const Values& values, Maker& maker) {
    const uint32_t chunks = values.whole("chunks");
    const uint32_t table = maker.region("table", chunks);
    const uint32_t scanned = maker.region("scanned", values.whole("scanned"));
    const std::vector<uint32_t> by_rank = shuffled(chunks, maker.random());
    const Zipf zipf(chunks, values["alpha"]);
    for (uint32_t left = values.whole("uses"); left > 0 && maker.goes_on();) {
        const uint32_t now = std::min(left, values.whole("every"));
        use_by_popularity(maker, table, zipf, by_rank, now);
        maker.read(scanned, 0, values.whole("scanned"));
        left -= now;
    }
}

constexpr Parameter phases_parameters[] = {
    chunks_of_1000,
    {"periods", 15, 1, most_uses, "of the cycle, before and after"},
    {"uses", 15'000, 1, most_uses, "by popularity, between"},
    alpha_parameter,
};

void make_phases(const Values& values, Maker& maker) {
    const uint32_t chunks = values.whole("chunks");
    const uint32_t region = maker.region("data", chunks);
    const std::vector<uint32_t> by_rank = shuffled(chunks, maker.random());
    maker.phase("cycle");
    use_cycle(maker, region, chunks, values.whole("periods"));
    maker.phase("popularity");
    use_by_popularity(maker, region, Zipf(chunks, values["alpha"]), by_rank, values.whole("uses"));
    maker.phase("cycle again");
    use_cycle(maker, region, chunks, values.whole("periods"));
}

constexpr Parameter recency_loop_parameters[] = {
    {"chunks", 1000, 1, 1 << 16, "of the part that favours the newest"},
    {"uses", 20'000, 1, most_uses, "of that part, before and after"},
    {"alpha", 1.1, 0, 4, "exponent of how much the newest are favoured", false},
    {"looped", 2000, 1, most_chunks, "chunks of the loop between"},
    {"loops", 5, 1, most_uses, "times that it is gone through"},
};

// The depth in the order of last use is drawn, so recency is all there is to know.
class RecencyPart {
public:
    RecencyPart(uint32_t region, uint32_t chunks, double alpha)
        : region_(region), newest_first_(chunks), depth_(chunks, alpha) {
        std::iota(newest_first_.begin(), newest_first_.end(), 0);
    }

    void use(Maker& maker, uint32_t uses) {
        for (uint32_t use = 0; use < uses && maker.goes_on(); ++use) {
            const uint32_t depth = depth_.draw(maker.random());
            maker.read(region_, newest_first_[depth]);
            std::rotate(newest_first_.begin(), newest_first_.begin() + depth,
                        newest_first_.begin() + depth + 1);
        }
    }

private:
    uint32_t region_;
    std::vector<uint32_t> newest_first_;
    Zipf depth_;
};

void make_recency_loop(const Values& values, Maker& maker) {
    const uint32_t recent = maker.region("recent", values.whole("chunks"));
    const uint32_t looped = maker.region("looped", values.whole("looped"));
    RecencyPart part(recent, values.whole("chunks"), values["alpha"]);
    maker.phase("recency");
    part.use(maker, values.whole("uses"));
    maker.phase("loop");
    use_cycle(maker, looped, values.whole("looped"), values.whole("loops"));
    maker.phase("recency again");
    part.use(maker, values.whole("uses"));
}

const Pattern all[] = {
    {"cyclic", "all chunks in order, over and over: the worst case of recency", cyclic_parameters,
     0, make_cyclic},
    {"zigzag", "forward and backward, over and over: the best case of recency", cyclic_parameters,
     0, make_zigzag},
    {"uniform", "any chunk at any time", uniform_parameters, 0, make_uniform},
    {"zipf", "some chunks more often than others", zipf_parameters, 0, make_zipf},
    {"zipf-scan", "popularity, and a scan of other chunks now and then", zipf_scan_parameters, 0,
     make_zipf_scan},
    {"phases", "a cycle, popularity, the cycle again", phases_parameters, 0, make_phases},
    {"recency-loop", "recency, a loop, recency again: the stress test of W-TinyLFU",
     recency_loop_parameters, 0, make_recency_loop},
};

}  // namespace

std::span<const Pattern> general_patterns() { return all; }

}  // namespace ciuic::trace
