// SPDX-License-Identifier: Apache-2.0
//
// Overdue: moves that the program waits for and that do not end, because the disk hangs.
//
// Whoever waits is answered at the deadline. The frame or piece stays with its move, and the move
// with the store, until the disk has let go of it, however long that takes.
#include "engine/engine.hpp"

namespace ciuic {

namespace {

constexpr Nanos look_interval{100'000'000};

}  // namespace

bool Engine::answer_overdue() {
    if (free_moves_.size() == moves_.size()) return false;
    const Nanos now = ports_.clock.now();
    if (now < overdue_look_at_) return false;
    overdue_look_at_ = now + look_interval;
    bool answered = false;
    for (Move& move : moves_) {
        if (move.stage == MoveStage::idle || move.overdue || !move.touched) continue;
        const Nanos since{record(move.chunk).wanted_since_ns};
        if (since == Nanos{0} || now - since < options_.frame_deadline) continue;
        answered |= answer_overdue(move);
    }
    return answered;
}

// False: the device is busy, or there is no answer but the end of the move.
bool Engine::answer_overdue(Move& move) {
    SessionStats& stats = session_at(move.chunk.session).stats;
    switch (move.kind) {
    case MoveKind::fetch:
    case MoveKind::grow:
    case MoveKind::piece_in:
        // From now on the move only brings its buffer home.
        ++stats.waits_expired;
        if (!refuse(move.chunk)) {
            --stats.waits_expired;
            return false;
        }
        break;
    case MoveKind::evict:
        // The frame has the truth, and a device that sees writes can give it back while the disk
        // still reads it: what the disk makes of it does not count.
        if (move.stage != MoveStage::writing || !ports_.device.traits().sees_writes) return false;
        if (!ports_.device.restore(move.chunk, move.frame, true)) return false;
        break;
    case MoveKind::fill:
    case MoveKind::piece_out: return false;
    }
    move.overdue = true;
    end_wait(move.chunk);
    return true;
}

}  // namespace ciuic
