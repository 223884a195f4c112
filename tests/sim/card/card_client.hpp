// SPDX-License-Identifier: Apache-2.0
//
// CardClient: one program that declares each use, acquires it, computes and lets go, one step after
// the other. Where all of a step is on the card it goes on without a word.
//
// It has a time of its own: what it does between two turns of the engine happens when it would.
// Threads: one.
#pragma once

#include "engine/engine.hpp"
#include "tests/sim/card/card_device.hpp"
#include "tests/sim/card/card_program.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace ciuic::sim {

class CardClient final : public Clients {
public:
    CardClient(CardDevice& device, SimClock& clock, uint32_t chunks);

    // Clients
    void completed(SessionIndex session, uint64_t ticket, Errc result) override;
    void closed(SessionIndex) override {}
    void unanswerable(SessionIndex) override;

    void open(Engine& engine);

    // Steps to be done, in order, from where the last ones ended.
    void begin(std::vector<ProgramStep> steps);
    bool is_done() const { return step_ == steps_.size() && phase_ == Phase::idle; }
    // Does what it can by now. True: the engine has been called or has something to read.
    bool run();
    // When it goes on by itself. None: it waits for the engine, or is done.
    std::optional<Nanos> next() const;

    Nanos at() const { return at_; }
    Nanos stalled() const { return stalled_; }
    const SessionStats& stats() const { return engine_->stats(session_); }

private:
    enum class Phase : uint8_t { idle, requested, writing, computing };

    void start_step();
    void go_on();
    bool is_resident(const ProgramStep& step) const;
    bool is_writable(const ProgramStep& step) const;
    void pin(const ProgramStep& step, bool on);
    void request(RequestKind kind, const ProgramStep& step);

    CardDevice& device_;
    SimClock& clock_;
    Engine* engine_ = nullptr;
    SessionIndex session_;
    std::vector<ChunkRecord> records_;
    std::unique_ptr<std::atomic<uint32_t>[]> states_;
    std::unique_ptr<std::atomic<uint32_t>[]> pins_;
    AccessLog log_;
    std::vector<ProgramStep> steps_;
    size_t step_ = 0;
    Phase phase_ = Phase::idle;
    bool called_ = false;
    Nanos at_;     // its time
    Nanos began_;  // to wait
    Nanos stalled_;
};

}  // namespace ciuic::sim
