// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/card/card_client.hpp"

#include "base/check.hpp"
#include "tests/sim/card/card_time.hpp"
#include "tests/sim/trace.hpp"

#include <algorithm>

namespace ciuic::sim {

namespace {

// From the engine's answer until the program runs: a thread on another processor is woken (Ciuic
// research notes, "Peers: paging and I/O": 8.6 us on the same core, 20 spinning, 55-68 polled).
constexpr Nanos wake_time{20'000};

}  // namespace

CardClient::CardClient(CardDevice& device, SimClock& clock, uint32_t chunks)
    : device_(device), clock_(clock), records_(chunks),
      states_(std::make_unique<std::atomic<uint32_t>[]>(chunks)),
      pins_(std::make_unique<std::atomic<uint32_t>[]>(chunks)) {}

void CardClient::open(Engine& engine) {
    engine_ = &engine;
    const size_t chunks = records_.size();
    SessionOptions options;
    options.records = records_;
    options.words = {std::span(states_.get(), chunks), PinWords(pins_.get(), chunks)};
    options.declared_uses = &log_;
    const auto session = engine.open_session(options);
    CIUIC_CHECK(session);
    session_ = *session;
    CIUIC_CHECK(engine.promise(session_, {ChunkIndex{0}, static_cast<uint32_t>(chunks)}));
}

void CardClient::completed(SessionIndex, uint64_t, Errc result) {
    if (result != Errc::ok) fail("a request ended with error %d", static_cast<int>(result));
    CIUIC_CHECK(phase_ == Phase::requested);
    at_ = std::max(at_, clock_.now() + wake_time);
    go_on();
}

void CardClient::unanswerable(SessionIndex) { fail("a chunk was lost"); }

void CardClient::begin(std::vector<ProgramStep> steps) {
    CIUIC_CHECK(is_done());
    steps_ = std::move(steps);
    step_ = 0;
}

bool CardClient::is_resident(const ProgramStep& step) const {
    for (uint32_t chunk = step.first; chunk < step.first + step.count; ++chunk)
        if (states_[chunk].load() != static_cast<uint32_t>(ChunkState::resident)) return false;
    return true;
}

bool CardClient::is_writable(const ProgramStep& step) const {
    for (uint32_t chunk = step.first; chunk < step.first + step.count; ++chunk)
        if (!device_.is_writable(chunk)) return false;
    return true;
}

void CardClient::pin(const ProgramStep& step, bool on) {
    for (uint32_t chunk = step.first; chunk < step.first + step.count; ++chunk)
        on ? pins_[chunk] += SharedWords::pin_one : --pins_[chunk];
}

void CardClient::request(RequestKind kind, const ProgramStep& step) {
    called_ = true;
    phase_ = Phase::requested;
    const Status taken =
        engine_->request(session_, kind, {ChunkIndex{step.first}, step.count}, step_);
    if (!taken) fail("a request was refused: %s", taken.error().what);
}

void CardClient::start_step() {
    const ProgramStep& step = steps_[step_];
    began_ = at_;
    if (step.kind == ProgramStep::Kind::give_up) return request(RequestKind::clear, step);
    if (step.count == 0) return go_on();
    pin(step, true);
    log_.append(step.first, step.count, step.kind == ProgramStep::Kind::write);
    called_ = true;
    if (!is_resident(step)) return request(RequestKind::acquire, step);
    for (uint32_t chunk = step.first; chunk < step.first + step.count; ++chunk)
        at_ = std::max(at_, device_.shown_at(chunk));
    go_on();
}

// The step's memory is here.
void CardClient::go_on() {
    const ProgramStep& step = steps_[step_];
    if (step.kind == ProgramStep::Kind::write && !is_writable(step)) {
        for (uint32_t chunk = step.first; chunk < step.first + step.count; ++chunk)
            if (!device_.is_writable(chunk)) device_.ask_to_write(chunk);
        phase_ = Phase::writing;
        return;
    }
    stalled_ = stalled_ + (at_ - began_);
    at_ = at_ + nanos_of(step.seconds);
    phase_ = Phase::computing;
}

bool CardClient::run() {
    called_ = false;
    for (;;) {
        switch (phase_) {
        case Phase::requested: return called_;
        case Phase::writing:
            if (!is_writable(steps_[step_])) return called_;
            at_ = std::max(at_, clock_.now());
            go_on();
            break;
        case Phase::computing:
            if (at_ > clock_.now()) return called_;
            if (steps_[step_].kind != ProgramStep::Kind::give_up) pin(steps_[step_], false);
            ++step_;
            phase_ = Phase::idle;
            break;
        case Phase::idle:
            if (step_ == steps_.size()) return called_;
            start_step();
            break;
        }
    }
}

std::optional<Nanos> CardClient::next() const {
    if (phase_ != Phase::computing) return std::nullopt;
    return at_;
}

}  // namespace ciuic::sim
