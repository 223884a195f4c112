// SPDX-License-Identifier: Apache-2.0
//
// Residency of one chunk: the whole state machine, and nothing else.
//
//   vacant --promise--> empty --fill_start--> filling --fill_done--------> resident <-----------.
//                         ^ '<---fill_abort------'                          ^  | |  \           |
//                         '---------------- clear -------------------------|--' |   evict_start |
//                                                                          |   write            |
//   lost <--copy_lost-- fetching --fetch_done_shown------------------------'  (drops the   evicting
//    ^                  ^  |  \                                            |   store copy)  |   |
//    |       fetch_start|  |   '--fetch_done--> ready --show---------------'                |   |
//    |                  |  '-fetch_abort-.        |                                evict_done   |
//    |                stored <-----------'<-------'---- drop (store copy is valid) <--------'   |
//    |                  '--copy_lost_at_rest--.                                                 |
//    '----------------------------------------'          evict_abort (the program has it again)-'
//
//   stored --piece_start--> scattering --piece_done--> scattered --gather_start--> gathering
//          <--pieces_gone--  |   ^                      |   ^                      |  |  |
//                            |   '----- piece_start ----'   '---- gather_abort ----'  |  |
//                            '--copy_lost--> lost <------------------- copy_lost -----'  |
//                                                            resident <-- gather_done ---'
//
//   stored --grow_start--> growing --grow_done--> sparse --drop--> stored
//          <--grow_abort---  |  ^                   |
//                            |  '--- grow_start ----'
//                            '--copy_lost--> lost
//
//   filling --fill_done_ahead--> zeroed --show--> resident
//   empty <--------- drop ---------'
//
//   `discard` leads from every settled state to vacant, `clear` to empty.
//
// A chunk has a set of valid copies, at most one per tier. A move makes its target valid at its
// `done` event, never at its `start`, and only then is the source given up: an aborted move has
// nothing to repair. A write invalidates every other copy.
//
// A scattered chunk has its truth in two tiers: the blocks that are in pieces, and in the store all
// others. Of the store copy, the blocks that are in pieces do not count. A sparse chunk has its
// truth in the store; what is in its frame may be dropped at any time. So may a zeroed one's, which
// has no copy: it still reads as zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ciuic {

enum class ChunkState : uint8_t {
    vacant,      // no region owns it; an access is the program's error
    empty,       // promised; reads as zero; no copy anywhere
    filling,     // a frame is being zeroed
    resident,    // the device copy is the program's
    ready,       // the device copy is valid but not shown yet: a prefetch that waits to be touched
    fetching,    // the bytes are on their way from the store
    evicting,    // the device copy is frozen and on its way to the store
    stored,      // only the store has it
    lost,        // no valid copy is left; every access fails loudly
    scattered,   // some blocks are the program's, each in a piece; the store has the others
    scattering,  // a piece is on its way in, or back to the store
    gathering,   // the other blocks are on their way from the store, into a frame for all
    sparse,      // some blocks are shown, read-only, in a frame; the store has all
    growing,     // a block is on its way from the store, into such a frame
    zeroed,      // a frame of zeros that is not shown yet: filled ahead, it waits to be touched
};
inline constexpr size_t chunk_states = 15;

enum class ChunkEvent : uint8_t {
    promise,           // a region takes the chunk
    fill_start,        // zeroing starts
    fill_done,         // zeroed and shown
    fill_abort,        // the frame could not be had or shown
    fetch_start,       // reading from the store starts
    fetch_done,        // read and verified, not shown
    fetch_done_shown,  // read, verified and shown
    fetch_abort,       // the read or the showing failed, the store copy is untouched
    copy_lost,         // the store copy failed its tag or cannot be read
    show,              // the program touched what was ready or zeroed
    write,             // the program may write from now on
    evict_start,       // the device copy is frozen
    evict_done,        // the store copy is valid, the frame is free
    evict_abort,       // the program has the frame again
    drop,              // a frame is taken back that the program has not written to
    clear,             // the bytes are given up: the chunk reads as zero
    discard,           // the region gives the chunk up
    piece_start,       // a piece is to come in, or its bytes are to be written
    piece_done,        // the piece is the program's
    pieces_gone,       // no piece is left: the store has every block
    gather_start,      // reading from the store starts, the pieces stay the program's
    gather_done,       // read, put together with the pieces, and shown
    gather_abort,      // the pieces are the program's as before
    grow_start,        // reading a block from the store starts
    grow_done,         // read, verified and shown
    grow_abort,        // the frame is given up with all that is in it
    fill_done_ahead,   // zeroed, not shown
};
inline constexpr size_t chunk_events = 27;

// The set of tiers that hold a valid copy. Pieces are a part of one, and outrank the store's.
enum class Copies : uint8_t { none = 0, device = 1, store = 2, both = 3, pieces = 4, all = 7 };

constexpr Copies with(Copies set, Copies more) {
    return static_cast<Copies>(static_cast<uint8_t>(set) | static_cast<uint8_t>(more));
}
constexpr Copies without(Copies set, Copies less) {
    return static_cast<Copies>(static_cast<uint8_t>(set) & ~static_cast<uint8_t>(less));
}
constexpr bool holds(Copies set, Copies wanted) { return with(set, wanted) == set; }

struct Transition {
    ChunkState from;
    ChunkEvent event;
    ChunkState to;
    Copies gained;  // valid after the event
    Copies given_up;
};

inline constexpr auto transitions = [] {
    using enum ChunkState;
    using E = ChunkEvent;
    using C = Copies;
    // clang-format off
    return std::to_array<Transition>({
        {vacant,     E::promise,          empty,      C::none,   C::none},
        {empty,      E::fill_start,       filling,    C::none,   C::none},
        {filling,    E::fill_done,        resident,   C::device, C::none},
        {filling,    E::fill_done_ahead,  zeroed,     C::none,   C::none},
        {filling,    E::fill_abort,       empty,      C::none,   C::none},
        {stored,     E::fetch_start,      fetching,   C::none,   C::none},
        {fetching,   E::fetch_done,       ready,      C::device, C::none},
        {fetching,   E::fetch_done_shown, resident,   C::device, C::none},
        {fetching,   E::fetch_abort,      stored,     C::none,   C::none},
        {fetching,   E::copy_lost,        lost,       C::none,   C::store},
        {ready,      E::show,             resident,   C::none,   C::none},
        {ready,      E::drop,             stored,     C::none,   C::device},
        {zeroed,     E::show,             resident,   C::device, C::none},
        {zeroed,     E::drop,             empty,      C::none,   C::none},
        {resident,   E::write,            resident,   C::none,   C::store},
        {resident,   E::evict_start,      evicting,   C::none,   C::none},
        {evicting,   E::evict_done,       stored,     C::store,  C::device},
        {evicting,   E::evict_abort,      resident,   C::none,   C::none},
        {stored,     E::piece_start,      scattering, C::none,   C::none},
        {scattered,  E::piece_start,      scattering, C::none,   C::none},
        {scattering, E::piece_done,       scattered,  C::pieces, C::none},
        {scattering, E::pieces_gone,      stored,     C::none,   C::pieces},
        {scattering, E::copy_lost,        lost,       C::none,   C::all},
        {scattered,  E::gather_start,     gathering,  C::none,   C::none},
        {gathering,  E::gather_done,      resident,   C::device, C::all},
        {gathering,  E::gather_abort,     scattered,  C::none,   C::none},
        {gathering,  E::copy_lost,        lost,       C::none,   C::all},
        {stored,     E::grow_start,       growing,    C::none,   C::none},
        {sparse,     E::grow_start,       growing,    C::none,   C::none},
        {growing,    E::grow_done,        sparse,     C::none,   C::none},
        {growing,    E::grow_abort,       stored,     C::none,   C::none},
        {growing,    E::copy_lost,        lost,       C::none,   C::store},
        {sparse,     E::drop,             stored,     C::none,   C::none},
        {empty,      E::clear,            empty,      C::none,   C::none},
        {resident,   E::clear,            empty,      C::none,   C::both},
        {ready,      E::clear,            empty,      C::none,   C::both},
        {stored,     E::clear,            empty,      C::none,   C::both},
        {lost,       E::clear,            empty,      C::none,   C::none},
        {scattered,  E::clear,            empty,      C::none,   C::all},
        {sparse,     E::clear,            empty,      C::none,   C::store},
        {zeroed,     E::clear,            empty,      C::none,   C::none},
        {empty,      E::discard,          vacant,     C::none,   C::none},
        {resident,   E::discard,          vacant,     C::none,   C::both},
        {ready,      E::discard,          vacant,     C::none,   C::both},
        {stored,     E::discard,          vacant,     C::none,   C::both},
        {lost,       E::discard,          vacant,     C::none,   C::none},
        {scattered,  E::discard,          vacant,     C::none,   C::all},
        {sparse,     E::discard,          vacant,     C::none,   C::store},
        {zeroed,     E::discard,          vacant,     C::none,   C::none},
    });
    // clang-format on
}();

constexpr std::optional<Transition> next(ChunkState from, ChunkEvent event) {
    for (const Transition& transition : transitions)
        if (transition.from == from && transition.event == event) return transition;
    return std::nullopt;
}

// Whether `copies` may be the valid copies of a chunk in `state`: rule 1 of the residency rules.
constexpr bool is_consistent(ChunkState state, Copies copies) {
    switch (state) {
    case ChunkState::vacant:
    case ChunkState::empty:
    case ChunkState::filling:
    case ChunkState::zeroed:
    case ChunkState::lost: return copies == Copies::none;
    case ChunkState::resident:
    case ChunkState::evicting:
        return holds(copies, Copies::device) && !holds(copies, Copies::pieces);
    case ChunkState::ready: return copies == Copies::both;
    case ChunkState::fetching:
    case ChunkState::sparse:
    case ChunkState::growing:
    case ChunkState::stored: return copies == Copies::store;
    case ChunkState::scattering: return without(copies, Copies::pieces) == Copies::store;
    case ChunkState::gathering:
    case ChunkState::scattered: return copies == with(Copies::store, Copies::pieces);
    }
    return false;
}

// A move is under way: the chunk cannot be given up until it has ended.
constexpr bool is_moving(ChunkState state) {
    return state == ChunkState::filling || state == ChunkState::fetching ||
           state == ChunkState::evicting || state == ChunkState::scattering ||
           state == ChunkState::gathering || state == ChunkState::growing;
}

// The chunk has a frame (while it moves from or to one, too).
constexpr bool has_frame(ChunkState state) {
    return state == ChunkState::resident || state == ChunkState::ready ||
           state == ChunkState::filling || state == ChunkState::fetching ||
           state == ChunkState::evicting || state == ChunkState::gathering ||
           state == ChunkState::sparse || state == ChunkState::growing ||
           state == ChunkState::zeroed;
}

// The chunk came in ahead of its first touch and waits for it, hidden.
constexpr bool is_untouched(ChunkState state) {
    return state == ChunkState::ready || state == ChunkState::zeroed;
}

// A fetch may start from here.
constexpr bool is_fetchable(ChunkState state) {
    return state == ChunkState::stored || state == ChunkState::scattered ||
           state == ChunkState::sparse;
}

const char* chunk_state_text(ChunkState state);

// Every move that starts can also abort, back to where it came from.
static_assert(next(ChunkState::empty, ChunkEvent::fill_start)->to == ChunkState::filling);
static_assert(next(ChunkState::filling, ChunkEvent::fill_abort)->to == ChunkState::empty);
static_assert(next(ChunkState::fetching, ChunkEvent::fetch_abort)->to == ChunkState::stored);
static_assert(next(ChunkState::evicting, ChunkEvent::evict_abort)->to == ChunkState::resident);
// Lost data never comes back by itself, and no move starts from it.
static_assert(!next(ChunkState::lost, ChunkEvent::fetch_start));
// A chunk in a move is not given up under the move's feet.
static_assert(!next(ChunkState::fetching, ChunkEvent::discard));
static_assert(!next(ChunkState::evicting, ChunkEvent::discard));
static_assert(!next(ChunkState::filling, ChunkEvent::discard));
// No start makes a copy valid or gives one up.
static_assert([] {
    for (const Transition& transition : transitions)
        if (is_moving(transition.to) &&
            (transition.gained != Copies::none || transition.given_up != Copies::none))
            return false;
    return true;
}());
// Only an eviction makes a store copy; it gives the device copy up in the same event.
static_assert([] {
    for (const Transition& transition : transitions)
        if (holds(transition.gained, Copies::store) &&
            (transition.event != ChunkEvent::evict_done || transition.given_up != Copies::device))
            return false;
    return true;
}());
// From every consistent set of copies, every transition leads to a consistent one.
static_assert([] {
    for (const Transition& t : transitions)
        for (uint8_t set = 0; set <= static_cast<uint8_t>(Copies::all); ++set) {
            const auto before = static_cast<Copies>(set);
            if (is_consistent(t.from, before) &&
                !is_consistent(t.to, with(without(before, t.given_up), t.gained)))
                return false;
        }
    return true;
}());

}  // namespace ciuic
