// SPDX-License-Identifier: Apache-2.0
//
// Sharing: which session starts its next transfer, and whose frames others' needs may take.
//
// While several sessions want the disk, what is read at once is bounded, and each next read goes to
// the session whose turn it is (policy/fair_queue). A session alone is not held back.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <algorithm>

namespace ciuic {

bool Engine::has_work(const Session& session) const {
    const bool brings =
        session.declared ? session.declared->brings() : next_ahead(session).has_value();
    return session.wanted > 0 || brings || session.prefetching > 0;
}

bool Engine::start_page_ins() {
    count_contenders();
    bool started = false;
    while (const auto index = next_in_turn()) {
        if (start_page_in_of(*index))
            started = true;
        else
            session_at(*index).is_stuck = true;
    }
    return started;
}

void Engine::count_contenders() {
    const Nanos now = ports_.clock.now();
    contenders_ = 0;
    uint64_t least = UINT64_MAX;
    for (uint32_t index = 0; index < sessions_end_; ++index) {
        if (!sessions_[index]) continue;
        Session& session = *sessions_[index];
        session.is_stuck = false;
        const bool read_lately =
            session.read_at > Nanos{0} && now - session.read_at < limits::contention_memory;
        if (has_work(session) || session.reading_bytes > 0 || read_lately) {
            ++contenders_;
            least = std::min(least, disk_.start_tag(session.disk));
        }
    }
    if (contenders_ > 0) disk_.advance(least);
}

// Of those that have something to start, the one that is furthest behind its part; in turns where
// several are.
std::optional<SessionIndex> Engine::next_in_turn() {
    std::optional<SessionIndex> next;
    uint64_t least = 0;
    for (uint32_t turn = 0; turn < sessions_end_; ++turn) {
        const uint32_t index = (next_session_ + turn) % sessions_end_;
        const Session* session = sessions_[index].get();
        if (!session || session->is_stuck || !has_work(*session)) continue;
        const uint64_t tag = disk_.start_tag(session->disk);
        if (next && tag >= least) continue;
        next = SessionIndex{index};
        least = tag;
    }
    if (next) next_session_ = (next->value + 1) % sessions_end_;
    return next;
}

// What the program waits for comes before what it may want next. False: nothing can start now.
bool Engine::start_page_in_of(SessionIndex index) {
    const Session& session = session_at(index);
    if (session.wanted > 0 && start_wanted_of(index)) return true;
    if (session.declared ? bring_declared(index) : start_prefetch_of(index)) return true;
    return session.prefetching > 0 && start_requested_prefetch(index);
}

bool Engine::may_read(const Session& session) const {
    if (contenders_ < 2 || reading_bytes_ < options_.contended_read_bytes) return true;
    // Whoever has had less than its part does not wait for the others' reads.
    return session.reading_bytes == 0 && disk_.is_behind(session.disk);
}

void Engine::begin_read(Move& move, uint64_t bytes) {
    Session& session = session_at(move.chunk.session);
    disk_.start(session.disk, bytes);
    move.reading_bytes = bytes;
    session.reading_bytes += bytes;
    if (ports_.store.is_slow(move.place)) session.reading_slow_bytes += bytes;
    session.read_at = ports_.clock.now();
    reading_bytes_ += bytes;
}

void Engine::end_read(Move& move) {
    Session& session = session_at(move.chunk.session);
    CIUIC_CHECK(session.reading_bytes >= move.reading_bytes);
    session.reading_bytes -= move.reading_bytes;
    if (ports_.store.is_slow(move.place)) session.reading_slow_bytes -= move.reading_bytes;
    reading_bytes_ -= move.reading_bytes;
    move.reading_bytes = 0;
}

bool Engine::is_sheltered(const Session& session) const {
    return session.frames - session.evicting <= session.frames_guaranteed;
}

uint32_t Engine::guaranteed_max() const {
    return frames() - std::max(limits::frames_min, options_.free_frames);
}

// The sessions that have no more than they are guaranteed; empty where there is no guarantee.
std::span<const uint8_t> Engine::find_sheltered() {
    if (guaranteed_ == 0) return {};
    for (uint32_t index = 0; index < sessions_end_; ++index)
        sheltered_[index] = sessions_[index] && is_sheltered(*sessions_[index]);
    return std::span(sheltered_).first(sessions_end_);
}

}  // namespace ciuic
