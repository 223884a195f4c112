// SPDX-License-Identifier: Apache-2.0
//
// CardIo: a store that is striped over the host's memory and its disk, with the link to the card
// before both. Times only; no byte is moved.
//
// Link and disk each serve one transfer after the other in each direction, at the rate that the
// description gives, and a transfer from the disk goes on over the link as it comes. A latency
// passes beside the transfers of others.
//
// Threads: one.
#pragma once

#include "base/clock.hpp"
#include "io/io.hpp"
#include "limits.hpp"
#include "machine/hardware.hpp"
#include "store/striping.hpp"

#include <optional>
#include <vector>

namespace ciuic::sim {

class CardIo final : public Io {
public:
    CardIo(const machine::Card& card, const machine::Host& host, const Striping& striping,
           uint64_t chunk_bytes, Clock& clock);

    // Io
    Status submit(const IoRequest& request) override;
    void flush() override {}
    void cancel(uint64_t) override {}
    size_t drain(std::span<IoResult> results) override;
    int event_fd() const override { return -1; }
    uint32_t depth() const override { return limits::io_depth_max; }
    const char* name() const override { return "simulated"; }

    // When the next of what is under way ends.
    std::optional<Nanos> next() const;

    // Over the link, and of these from the disk or to it.
    uint64_t bytes_in() const { return in_.link_bytes; }
    uint64_t bytes_out() const { return out_.link_bytes; }
    uint64_t disk_bytes() const { return disk_bytes_; }

private:
    struct Way {
        double link_bytes_per_s = 0;
        double disk_bytes_per_s = 0;
        Nanos link_free;
        Nanos disk_free;
        uint64_t link_bytes = 0;
    };
    struct Flying {
        uint64_t token;
        uint32_t length_bytes;
        Nanos ends;
    };

    Clock& clock_;
    Striping striping_;
    uint64_t chunk_bytes_;
    Nanos copy_latency_;
    Nanos disk_latency_;
    Way in_;
    Way out_;
    std::vector<Flying> flying_;
    uint64_t disk_bytes_ = 0;
};

}  // namespace ciuic::sim
