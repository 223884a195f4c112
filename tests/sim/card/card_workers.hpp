// SPDX-License-Identifier: Apache-2.0
//
// CardWorkers: content hashes and zeros by kernels of the card, at the rate of its memory, one
// after the other.
// Threads: one.
#pragma once

#include "base/clock.hpp"
#include "engine/workers.hpp"
#include "machine/hardware.hpp"
#include "tests/sim/card/card_device.hpp"

#include <deque>
#include <optional>

namespace ciuic::sim {

class CardWorkers final : public Workers {
public:
    CardWorkers(const machine::Card& card, const CardDevice& device, Clock& clock);

    void submit(const Job& job) override;
    size_t drain(std::span<uint64_t> tokens) override;
    int event_fd() const override { return -1; }

    std::optional<Nanos> next() const;

private:
    struct Running {
        uint64_t token;
        Nanos ends;
    };

    double bytes_per_s_;
    Nanos latency_;
    const CardDevice& device_;
    Clock& clock_;
    Nanos free_;
    std::deque<Running> running_;
};

}  // namespace ciuic::sim
