// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_workers.hpp"

#include "tests/sim/card/card_time.hpp"

#include <algorithm>

namespace ciuic::sim {

CardWorkers::CardWorkers(const machine::Card& card, const CardDevice& device, Clock& clock)
    : bytes_per_s_(card.reached_bytes_per_s()), latency_(nanos_of(card.copy_latency_s)),
      device_(device), clock_(clock) {}

void CardWorkers::submit(const Job& job) {
    std::ranges::fill(job.hashes, device_.content_hash(job.data.data()));
    free_ = std::max(clock_.now(), free_) +
            nanos_of(static_cast<double>(job.data.size()) / bytes_per_s_);
    running_.push_back({job.token, free_ + latency_});
}

size_t CardWorkers::drain(std::span<uint64_t> tokens) {
    size_t count = 0;
    for (; count < tokens.size() && !running_.empty() && running_.front().ends <= clock_.now();
         ++count) {
        tokens[count] = running_.front().token;
        running_.pop_front();
    }
    return count;
}

std::optional<Nanos> CardWorkers::next() const {
    if (running_.empty()) return std::nullopt;
    return running_.front().ends;
}

}  // namespace ciuic::sim
