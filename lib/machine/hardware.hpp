// SPDX-License-Identifier: Apache-2.0
//
// A card and the machine around it, in the numbers that decide what paging can reach.
//
// Rates are what is reached, not what is printed on the box, except where the name says peak.
// Sizes and rates count bytes; a GB on a data sheet is 10^9 of them.
//
// Not here: where the numbers come from (data/, each with its source), reading them (cli/plan).
// Threads: any.
#pragma once

#include <cstdint>

namespace ciuic::machine {

// A PCI Express slot, as one side has it.
struct Slot {
    uint32_t generation = 0;
    uint32_t lanes = 0;
};

struct Card {
    uint64_t memory_bytes = 0;
    double memory_peak_bytes_per_s = 0;
    double peak_flop_per_s = 0;      // dense, bf16 or fp16 in, fp32 accumulated
    double compute_utilisation = 0;  // share of the peak that a model's matrices reach
    double bandwidth_share = 0;      // share of the memory's peak that reading weights reaches
    uint64_t context_bytes = 0;      // the driver's, and its kernels'
    uint64_t staging_bytes = 0;      // on the card, as soon as something streams
    Slot slot;
    double to_device_bytes_per_s = 0;  // pinned memory, one direction at a time, in that slot
    double to_host_bytes_per_s = 0;
    double copy_latency_s = 0;
    uint64_t mapped_chunk_bytes = 0;  // the chunk that the next three are of
    double map_s = 0;
    double set_access_s = 0;
    double unmap_s = 0;

    double reached_flop_per_s() const { return peak_flop_per_s * compute_utilisation; }
    double reached_bytes_per_s() const { return memory_peak_bytes_per_s * bandwidth_share; }
    // One chunk brought in where another was: with recycled handles, no allocation.
    double remap_s() const { return map_s + set_access_s + unmap_s; }
};

struct Host {
    uint64_t memory_bytes = 0;
    uint64_t reserved_bytes = 0;  // the system's and the program's own
    double memory_bytes_per_s = 0;
    double flop_per_s = 0;  // the processor's, on what is off the card
    Slot slot;
    double disk_read_bytes_per_s = 0;
    double disk_write_bytes_per_s = 0;
    double disk_latency_s = 0;

    // For what is off the card.
    uint64_t room_bytes() const {
        return memory_bytes > reserved_bytes ? memory_bytes - reserved_bytes : 0;
    }
};

// The share of the card's own transfer rate that is left in this host's slot: lanes in proportion,
// generations as measured with pinned memory over 16 lanes, 12.3, 25 and 55 GB/s for 3.0, 4.0 and
// 5.0 (NVIDIA/nvbandwidth, README and #15; sglang#25517), others by doubling. At most 1.
double slot_share(const Card& card, const Host& host);

}  // namespace ciuic::machine
