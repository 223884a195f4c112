// SPDX-License-Identifier: Apache-2.0
//
// Adaptive eviction: which chunk of one session leaves, by whichever rule serves it best.
//
// Three experts keep directories of what each would hold; the frames follow the one that leads:
// what is in a frame and not in its directory is an outsider, and outsiders leave, those first that
// have been so for longest. Misses stay within a constant factor of the best expert's. When the
// future's takes the lead after a while without it, it is the other way round: its directory
// becomes what is in the frames, since from there the furthest next use is the best victim,
// whatever it would have held.
//
// After Subramanian, Smaragdakis and Loh, "Adaptive Caches: Effective Shaping of Cache Behavior to
// Workloads" (MICRO 2006).
//
// While the future's leads, its directory also says what to bring ahead: the next chunk in the
// order that it does not hold, as long as what leaves for it is used much later. Each chunk that
// was brought and used lets it look one further ahead, each that was brought for nothing takes that
// back for eight. (The "aggressive" strategy of Cao et al., "A Study of Integrated Prefetching and
// Caching Strategies", SIGMETRICS 1995: never far from the shortest time; with a limit to how far.)
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

#include <array>
#include <optional>
#include <span>

namespace ciuic {

class AdaptiveEviction {
public:
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
    // The program gave its bytes up: there is nothing to hold.
    void given_up(ChunkIndex chunk);

    // A chunk in a frame that the leading expert would not hold. None: it would hold them all.
    std::optional<ChunkIndex> victim();

    // Where one has to go though the leader would hold it, or though none of the victims can: the
    // furthest that the future's directory holds, and does not any more. None: another leads.
    std::optional<ChunkIndex> furthest_victim();

    // The next chunk of the order that is worth a frame ahead of its use (of zeros, where it was
    // given up): it is in none, and is used before whatever would leave for it. None: the future's
    // expert does not lead, what was brought so far is enough, or nothing is worth it. What takes
    // long is looked for apart: it has a way of its own to come.
    std::optional<ChunkIndex> next_to_bring(bool costly);
    // The answer to it: it is on its way; or it need not or cannot be brought.
    void brought(ChunkIndex chunk);
    void passed_over(ChunkIndex chunk) { ++next_ahead_[is_costly(chunk)]; }
    // From now on the chunk takes long to bring back, or does not.
    void costs(ChunkIndex chunk, bool much);
    // It was brought, and neither used nor taken away since.
    bool is_ahead(ChunkIndex chunk) const { return (marks_[chunk.value] & ahead) != 0; }
    bool is_costly(ChunkIndex chunk) const { return (marks_[chunk.value] & costly) != 0; }
    bool brings() const { return contest_.leading() == Expert::future && !is_changing(); }

    Expert leading() const { return contest_.leading(); }
    const SequenceLearner& learner() const { return learner_; }

private:
    struct Parts;
    AdaptiveEviction(const Parts& parts);

    bool is_in_frame(uint32_t chunk) const { return (marks_[chunk] & in_frame) != 0; }
    bool is_queued(uint32_t chunk) const { return marks_[chunk] >> epoch_shift == epoch_; }
    bool leader_holds(ChunkIndex chunk) const;
    bool is_outsider(uint32_t chunk) const {
        return is_in_frame(chunk) && !leader_holds(ChunkIndex{chunk});
    }
    void queue(uint32_t chunk);
    void unqueue_oldest();
    void begin_change();
    void go_on_changing(uint32_t looks);
    void change(uint32_t chunk);
    bool is_changing() const { return hand_ < marks_.size() || passes_left_ > 0; }

    ChunkIndex drop_furthest();
    void look_ahead(const SequenceLearner::Step& step, uint32_t was_at);
    void end_ahead(ChunkIndex chunk);

    // A mark is whether the chunk is in a frame, whether it was brought and not used yet, whether
    // it was given up since it was used, whether it takes long to bring back, and in the other bits
    // the epoch in which it came into the queue, if it has not left it.
    static constexpr uint8_t in_frame = 1;
    static constexpr uint8_t ahead = 2;
    static constexpr uint8_t fresh = FutureDirectory::given_up_mark;
    static constexpr uint8_t costly = FutureDirectory::costly_mark;
    static constexpr uint8_t facts = in_frame | ahead | fresh | costly;
    static constexpr uint32_t epoch_shift = 4;
    static constexpr uint8_t epochs = 15;
    // One that was brought for nothing costs as much depth as eight that were used give.
    static constexpr uint32_t depth_at_first = 4;
    static constexpr uint32_t depth_lost = 8;

    UseLog log_;
    SequenceLearner learner_;
    RecencyDirectory recency_;
    FrequencyDirectory frequency_;
    FutureDirectory future_;
    ExpertContest contest_;
    // A queue of chunks that were outsiders when they came into it.
    std::span<uint32_t> next_;
    std::span<uint8_t> marks_;
    uint32_t oldest_ = none_index;
    uint32_t newest_ = none_index;
    uint8_t epoch_ = 1;  // how often the lead changed; 0 is no epoch
    // The lead has changed: chunks from here on are still to be looked at, in this pass.
    uint32_t hand_;
    uint32_t passes_left_ = 0;
    bool adopts_ = false;          // what is in the frames is to be in the future's directory
    uint64_t without_future_ = 0;  // uses since it led
    uint32_t frames_ = 0;
    uint32_t latest_ = none_index;  // use
    // Positions in the log of what may be brought next, of what comes soon and of what takes long.
    std::array<uint32_t, 2> next_ahead_{};
    uint32_t depth_ = depth_at_first;
    uint32_t ahead_count_ = 0;
};

}  // namespace ciuic
