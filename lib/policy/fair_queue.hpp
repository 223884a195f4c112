// SPDX-License-Identifier: Apache-2.0
//
// Start-time fair queuing: whose transfer is next when several sessions want the same disk.
//
// Each transfer gets a start tag: where its session's last one ended in virtual time, or now if
// that is past. The least start tag goes first, and virtual time is the tag of whatever went last.
// Sessions that always want more get bytes in proportion to their weights, whatever the sizes of
// their transfers; one that wants little is never far behind now, so it goes first.
//
// After Goyal, Vin and Cheng, "Start-time Fair Queueing" (SIGCOMM 1996); with several transfers in
// flight, Jin, Chase and Kaur, "Interposed Proportional Sharing for a Storage Service Utility"
// (SIGMETRICS 2004).
//
// Not here: how many transfers may be in flight, and what they are (engine/).
// Threads: one. Pure.
#pragma once

#include "limits.hpp"

#include <algorithm>
#include <cstdint>

namespace ciuic {

class FairQueue {
public:
    struct Share {
        uint32_t weight = limits::weight_default;  // 1 .. limits::weight_max
        uint64_t end = 0;                          // of its last transfer, in virtual time
    };

    uint64_t start_tag(const Share& share) const { return std::max(now_, share.end); }

    // It has had no more than its part of what was given out lately.
    bool is_behind(const Share& share) const { return share.end <= now_; }

    // A transfer of the session starts.
    void start(Share& share, uint64_t bytes) {
        now_ = start_tag(share);
        share.end = now_ + cost_of(share, bytes);
    }

    // Bytes that nobody had a choice about count, too, up to a bound: a long time of writing does
    // not keep a session from reading for as long.
    void charge(Share& share, uint64_t bytes) {
        share.end = std::min(start_tag(share) + cost_of(share, bytes),
                             now_ + cost_of(share, limits::owed_bytes_max));
    }

    // Nobody who wants the disk has had less than up to here; what is before is forgotten.
    void advance(uint64_t least_start_tag) { now_ = std::max(now_, least_start_tag); }

private:
    // In granules: at 10 GB/s and weight 1 the tags last for 23 years.
    static uint64_t cost_of(const Share& share, uint64_t bytes) {
        return bytes / limits::granule_bytes * limits::weight_max / share.weight;
    }

    uint64_t now_ = 0;
};

}  // namespace ciuic
