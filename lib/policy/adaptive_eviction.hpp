// SPDX-License-Identifier: Apache-2.0
//
// Adaptive eviction: which chunk of one session leaves, by whichever rule serves it best.
//
// Three experts keep directories of what each would hold; the frames follow the one that leads:
// what is in a frame and not in its directory is an outsider, and outsiders leave, those first that
// have been so for longest. Misses stay within a constant factor of the best expert's.
//
// After Subramanian, Smaragdakis and Loh, "Adaptive Caches: Effective Shaping of Cache Behavior to
// Workloads" (MICRO 2006).
//
// It has to see every use of every chunk: programs that declare them. Where hits are not seen,
// eviction_trial.hpp judges by what comes back.
//
// Threads: one. Pure: the memory is the caller's, zeros at first; below 64 bytes for each chunk.
#pragma once

#include "policy/expert_contest.hpp"
#include "policy/frequency_directory.hpp"
#include "policy/future_directory.hpp"
#include "policy/recency_directory.hpp"
#include "policy/sequence_learner.hpp"

#include <optional>
#include <span>

namespace ciuic {

class AdaptiveEviction {
public:
    // Of one chunk.
    struct Place {
        uint32_t older;  // outsider
        uint32_t newer;
    };

    static uint64_t memory_bytes(uint32_t chunks, uint32_t frames_max);

    // memory: memory_bytes() of it, zeros, aligned to 8 bytes.
    AdaptiveEviction(std::span<std::byte> memory, uint32_t chunks, uint32_t frames_max);
    AdaptiveEviction(const AdaptiveEviction&) = delete;
    AdaptiveEviction& operator=(const AdaptiveEviction&) = delete;

    // The session uses the chunk, whether it is in a frame or not; it has so many frames now.
    void used(ChunkIndex chunk, uint32_t frames);
    // The chunk has come into a frame, or has left it.
    void entered(ChunkIndex chunk);
    void left(ChunkIndex chunk);
    // The victim could not be taken: others come before it.
    void spared(ChunkIndex chunk);

    // A chunk in a frame that the leading expert would not hold. None: it would hold them all.
    std::optional<ChunkIndex> victim();

    Expert leading() const { return contest_.leading(); }
    uint32_t changes() const { return changes_; }  // of the lead
    const SequenceLearner& learner() const { return learner_; }

private:
    struct Parts;
    AdaptiveEviction(const Parts& parts);

    bool sees_far_enough(uint32_t frames) const;
    bool leader_holds(ChunkIndex chunk) const;
    bool is_outsider(uint32_t chunk) const { return (flags_[chunk] & outsider) != 0; }
    void add_outsider(uint32_t chunk);
    void drop_outsider(uint32_t chunk);
    void look_for_outsiders(uint32_t looks);

    static constexpr uint8_t in_frame = 1;
    static constexpr uint8_t outsider = 2;

    UseLog log_;
    SequenceLearner learner_;
    RecencyDirectory recency_;
    FrequencyDirectory frequency_;
    FutureDirectory future_;
    ExpertContest contest_;
    std::span<Place> places_;
    std::span<uint8_t> flags_;
    uint32_t oldest_ = none_index;  // outsider
    uint32_t newest_ = none_index;
    uint32_t hand_;  // chunks from here on are still to be looked at since the lead changed
    uint32_t changes_ = 0;
};

}  // namespace ciuic
