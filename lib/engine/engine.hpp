// SPDX-License-Identifier: Apache-2.0
//
// The engine: a state machine that keeps the hot chunks of many sessions in the frames of one
// device and the rest in one store.
//
// tick() drains what has happened outside, applies it to the tables, plans, starts moves and
// publishes. The engine has no I/O, thread or clock of its own: everything outside is a port
// (ports.hpp), so one seed of the simulator is one history.
//
// Not here: how a frame is mapped (device/), where bytes rest (store/), which frame to empty and
// what comes next (policy/), sockets and processes (daemon/, client/).
// Threads: one, the owner's. Memory: taken in open_session() and the constructor; a tick allocates
// nothing.
#pragma once

#include "engine/move.hpp"
#include "engine/ports.hpp"
#include "engine/session.hpp"
#include "engine/stats.hpp"
#include "policy/clock_eviction.hpp"
#include "policy/free_reserve.hpp"
#include "residency/frame_table.hpp"
#include "residency/piece_table.hpp"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ciuic {

struct EngineOptions {
    // So many frames are kept free, or on their way to it, while evictions write; fewer while they
    // do not (policy/free_reserve). 0: a sixteenth of all, at least 4 and at most
    // limits::free_frames_max.
    uint32_t free_frames = 0;
    uint32_t prefetch_chunks_max = limits::prefetch_chunks_max;  // 0: no prefetch
    bool recency_only = false;  // nothing else decides which chunk goes
    // Blocks of one chunk that come in alone, at most. 0: a quarter of them.
    uint32_t pieces_per_chunk_max = 0;
    Nanos frame_deadline = limits::frame_deadline;
    uint32_t sessions_max = limits::sessions_max;
    // Read at once while several sessions want the disk.
    uint64_t contended_read_bytes = limits::contended_read_bytes;
};

struct SessionOptions {
    // The session's records: zeroed memory that outlives the session, e.g. of a memfd.
    std::span<ChunkRecord> records;
    SharedWords words;        // as many states and pins as records
    uint64_t realm = 0;       // binds the integrity tags
    uint32_t chunks_max = 0;  // most chunks promised at once; 0: as many as the store holds
    uint32_t frames_max = 0;  // most frames at once; 0: all of the device's
    // Frames that no other session's need takes from it. All guarantees together leave frames_min
    // to those without one, and the device its reserve of free frames.
    uint32_t frames_guaranteed = 0;
    uint32_t weight = limits::weight_default;  // its part of the disk, beside the others'
    // Where the client declares every use, hits included; it outlives the session. Null: it does
    // not, and what it uses is known from its misses.
    const AccessLog* declared_uses = nullptr;
};

// Chunks first .. first + count - 1 of one session.
struct ChunkRange {
    ChunkIndex first;
    uint32_t count = 0;
};

enum class RequestKind : uint8_t {
    promise,   // as Engine::promise(), a part at a time
    acquire,   // bring in; complete when all chunks are resident (the client pins them before)
    prefetch,  // bring in what there is room for; complete once asked for
    evict,     // take out what is not pinned; complete when none is on its way any more
    clear,     // give the bytes up: the chunks read as zero; still promised
    discard,   // give the chunks up: vacant, the promise is returned
};

class Engine {
public:
    Engine(const EnginePorts& ports, const EngineOptions& options);

    // Errors: no_memory (sessions_max are open, or the guarantees of others leave no room for this
    // one's), invalid.
    Result<SessionIndex> open_session(const SessionOptions& options);
    // Starts the end of a session; Clients::closed() reports it. Its requests end as disconnected.
    void close_session(SessionIndex session);

    // Promises that the vacant chunks of the range have somewhere to go; they read as zero. All at
    // once, for as long as it takes: where others wait meanwhile, it is a request.
    // Errors: no_memory (session's or store's limit), invalid (a chunk is not vacant), range.
    Status promise(SessionIndex session, ChunkRange range);

    // Starts a request; its end is reported with `ticket` by Clients::completed() from a tick.
    // Errors: range (also of an empty one), busy (waiters_per_session_max requests are waiting, or
    // for a promise: another one is), no_memory (acquire of more chunks than the session may have
    // frames; promise: as promise()), invalid (a chunk of the range is vacant or, for a promise, is
    // not; with nothing done): of a range of up to limits::looks_min at once, else, and of every
    // promise, as its end.
    Status request(SessionIndex session, RequestKind kind, ChunkRange range, uint64_t ticket);

    // A promise that was requested is not through: what the client asks next may rest on it.
    bool is_promising(SessionIndex session) const;

    // One turn. True: there is more to do at once; call again before waiting.
    bool tick();

    // How long the owner may wait for events before the next tick.
    Nanos wait_max() const;

    // Nothing is under way: no move, no waiting chunk, no request.
    bool is_idle() const;

    uint32_t frames() const { return frames_.frames(); }
    uint32_t frames_free() const { return frames_.free(); }
    uint32_t pieces() const { return pieces_.pieces(); }
    uint32_t pieces_free() const { return pieces_.free(); }
    uint32_t chunks_promised() const { return promised_; }
    const SessionStats& stats(SessionIndex session) const;
    SessionStats total_stats() const;  // of all sessions, past ones included
    // How often a session's evictions came under this rule; recency is what they begin with.
    uint32_t changes_to(EvictionRule rule) const { return changes_to_[static_cast<size_t>(rule)]; }
    const ChunkTable& chunks(SessionIndex session) const;

    // Every table obeys its invariants; stops the program where one does not. O(chunks).
    void verify() const;

private:
    // events.cpp: drain and apply
    bool drain_device();
    bool drain_store();
    bool drain_workers();
    ChunkState state_met(ChunkRef chunk);
    void on_missing(ChunkRef chunk, uint32_t block, bool is_write);
    void on_write(ChunkRef chunk, uint32_t block);
    bool touch_resident(ChunkRef chunk, uint32_t block, bool is_write);
    void touch_moving(ChunkRef chunk, bool is_write);

    // demand.cpp: chunks that the program waits for
    void want(ChunkRef chunk, uint32_t block, bool is_write, Cause cause);
    void begin_wait(ChunkRef chunk);
    void end_wait(ChunkRef chunk);
    std::optional<ChunkRef> pop_wanted(SessionIndex index);
    bool start_wanted_of(SessionIndex index);
    bool needs_read(ChunkRef chunk);
    bool expire_wanted(SessionIndex index);
    bool start_page_in(ChunkRef chunk, Cause cause);
    bool refuse(ChunkRef chunk);

    // sharing.cpp: whose turn it is, and whose frames may be taken
    bool has_work(const Session& session) const;
    bool start_page_ins();
    bool start_page_in_of(SessionIndex index);
    std::optional<SessionIndex> next_in_turn();
    void count_contenders();
    bool may_read(const Session& session) const;
    void begin_read(Move& move, uint64_t bytes);
    void end_read(Move& move);
    bool is_sheltered(const Session& session) const;
    std::span<const uint8_t> find_sheltered();
    uint32_t guaranteed_max() const;

    // overdue.cpp
    bool answer_overdue();
    bool answer_overdue(Move& move);

    // turn.cpp: how much is done in one turn
    void begin_turn();
    template <typename Part> void do_part(Part part) {
        part_is_fresh_ = true;
        more_ |= part();
    }
    bool may_work();
    void did(uint32_t cost);
    bool may_give_up(ChunkRef chunk);
    uint32_t cost_of_evict(ChunkRef chunk);
    bool may_look(Session& session);

    // moves.cpp: what all moves share
    bool may_take_frame(const Session& session) const;
    Move& begin_move(MoveKind kind, ChunkRef chunk, Cause cause);
    void end_move(Move& move);
    void take_frame(Move& move);
    bool open_frame(Move& move);
    bool open_taken_frame(Move& move);
    void hold_frame(ChunkRef chunk, Entry entry);
    void note_use(ChunkRef chunk);
    void spare(ChunkRef chunk);
    void release_frame(ChunkRef chunk);
    void release_place(ChunkRef chunk);
    bool retry_moves();
    void advance(Move& move);
    void settle(ChunkRef chunk);
    void lift_poison(ChunkRef chunk);
    bool give_up(ChunkRef chunk, bool keep_promise);
    Entry entry_of(ChunkRef chunk, Cause cause);
    void submit_job(Move& move, JobKind kind, MoveStage stage);

    // fill.cpp
    bool start_fill(ChunkRef chunk, Cause cause);
    void show_filled(Move& move);

    // fetch.cpp
    bool start_fetch(ChunkRef chunk, Cause cause);
    ReadPart part_of(const Move& move, uint32_t part) const;
    std::span<std::byte> place_of(const Move& move, uint32_t part) const;
    void read_parts_from(Move& move, uint32_t first_part);
    void submit_reads(Move& move);
    void on_read(Move& move, uint32_t part, const Status& status);
    void hash_part(Move& move, uint32_t part);
    void bring_home(Move& move, uint32_t part);
    void give_back_bounce(Move& move);
    void show_first_block(Move& move);
    void verify_fetched(Move& move);
    void show_fetched(Move& move);
    void abort_fetch(Move& move);
    void retry_fetch(Move& move);
    void lose(Move& move);
    bool show_untouched(ChunkRef chunk, bool is_write);
    void note_shown(ChunkRef chunk, bool writable);

    // sparse.cpp: single blocks, in a frame
    bool wants_block(ChunkRef chunk, Cause cause);
    bool start_grow(ChunkRef chunk);
    bool open_block(Move& move);
    bool is_open(const Move& move);
    void show_grown(Move& move);
    void abort_grow(Move& move);
    void touch_sparse(ChunkRef chunk, uint32_t block, bool is_write);
    bool show_again(ChunkRef chunk, uint32_t block);
    bool has_block(const ChunkRecord& facts) const;
    void forget_blocks(ChunkRef chunk);
    void drop_sparse(ChunkRef chunk);
    void give_way_to_fetch(ChunkRef chunk);
    void evict_sparse(ChunkRef chunk);

    // scatter.cpp: single blocks, in pieces
    bool wants_piece(ChunkRef chunk, Cause cause);
    std::optional<PieceIndex> find_piece(ChunkRef chunk, uint32_t block);
    PieceRef piece_ref(PieceIndex piece) const;
    void touch_scattered(ChunkRef chunk, uint32_t block, bool is_write);
    bool start_piece(ChunkRef chunk);
    void read_block(Move& move);
    void on_block_read(Move& move, const Status& status);
    void show_piece(Move& move);
    void end_piece_in(Move& move, bool shown);
    bool reveal_piece(PieceIndex piece);
    Status conceal_pieces(ChunkRef chunk, std::span<std::byte> chunk_bytes);
    void drop_piece(PieceIndex piece);
    void drop_pieces(ChunkRef chunk);

    // pieces_out.cpp
    bool plan_pieces_out();
    bool start_pieces_out(ChunkRef chunk, PieceIndex piece, Cause cause);
    void take_piece_out(Move& move);
    void write_piece(Move& move);
    uint64_t tag_of_piece(const Move& move);
    void on_piece_written(Move& move, const Status& status);
    void end_piece_out(Move& move, bool gone);

    // evict.cpp
    bool start_evict(ChunkRef chunk, Cause cause);
    bool start_evict_resident(ChunkRef chunk, Cause cause);
    void drop_untouched(ChunkRef chunk);
    void on_hashed_for_evict(Move& move);
    bool is_unchanged(const Move& move);
    void submit_write(Move& move);
    void on_written(Move& move, const Status& status);
    void finish_evict(Move& move, bool clean);
    void abort_evict(Move& move);

    // declared.cpp: sessions that declare their uses
    bool drain_declared();
    static bool follows_declared(const Session& session) {
        return session.declared && session.undeclared == 0;
    }
    void note_declared(SessionIndex index, const DeclaredUse& use);
    uint32_t frames_to_fill(const Session& session) const;
    bool evict_declared(FrameIndex cold);
    bool evict_now(ChunkRef chunk);
    bool bring_declared(SessionIndex index);
    bool bring_declared(SessionIndex index, bool slow);
    bool bring(ChunkRef chunk);

    // planning.cpp
    bool plan_evictions();
    uint32_t evict_some(std::optional<SessionIndex> only, uint32_t wanted);
    bool is_expected(ChunkRef chunk);
    bool evict_by_rule(FrameIndex cold);
    std::optional<FrameIndex> find_newest(SessionIndex index);
    bool evict_followed(FrameIndex frame, EvictionRule by);
    bool start_prefetch_of(SessionIndex index);
    bool has_room_for_zeros() const;
    bool has_prefetch_room(const Session& session) const;
    void note_touch(ChunkRef chunk, bool is_write);
    void tell_use(ChunkRef chunk, bool is_write);
    bool keeps_to_order(const Session& session) const;
    std::optional<ChunkIndex> next_ahead(const Session& session) const;
    void pass_ahead(Session& session, bool brought);

    // requests.cpp
    bool advance_requests();
    bool check_range(SessionIndex index, Waiter& waiter);
    bool advance_promise(SessionIndex index, Waiter& waiter);
    Status reserve_promises(Session& session, uint32_t count);
    void release_promises(Session& session, uint32_t count);
    bool advance_closings();
    bool advance_request(SessionIndex index, Waiter& waiter);
    bool advance_acquire(SessionIndex index, Waiter& waiter);
    bool advance_giving_up(SessionIndex index, Waiter& waiter);
    bool advance_evict(SessionIndex index, Waiter& waiter);
    bool advance_prefetch(SessionIndex index, Waiter& waiter);
    bool start_requested_prefetch(SessionIndex index);
    void acquire_chunk(ChunkRef chunk);
    void complete(SessionIndex index, Waiter& waiter, Errc result);
    bool advance_closing(SessionIndex index);

    // engine.cpp: tables
    Session& session_at(SessionIndex index);
    const Session& session_at(SessionIndex index) const;
    bool is_valid(SessionIndex index, ChunkRange range) const;
    ChunkRecord& record(ChunkRef chunk);
    void apply(ChunkRef chunk, ChunkEvent event);  // and publish
    void publish(ChunkRef chunk, ChunkState state);
    bool is_pinned(ChunkRef chunk);
    Move& move_of(ChunkRef chunk);
    std::span<uint64_t> hashes_of(const Move& move);
    TagBinding binding_of(ChunkRef chunk, Extent place);
    bool is_tag_right(ChunkRef chunk, uint32_t block, uint64_t content_hash);
    struct Held {  // what verify() has counted
        uint32_t frames = 0;
        uint32_t pieces = 0;
        uint32_t promised = 0;
        uint32_t guaranteed = 0;
    };
    void verify_session(SessionIndex index, Held& held) const;
    uint32_t verify_pieces(ChunkRef chunk) const;

    EnginePorts ports_;
    uint64_t chunk_bytes_;
    uint32_t blocks_;  // per chunk
    bool has_sparse_;  // the device shows single blocks and sees writes, and there are buffers
    EngineOptions options_;
    FrameTable frames_;
    PieceTable pieces_;
    ClockEviction eviction_;
    FreeReserve reserve_;
    std::vector<Frame> frame_memory_;
    std::vector<Piece> piece_memory_;
    ArrivalOrder arrivals_;
    std::array<uint32_t, 2> changes_to_{};  // by rule
    std::vector<FrameHeat> heat_memory_;
    std::vector<ArrivalLink> arrival_memory_;
    std::vector<Move> moves_;
    std::vector<uint32_t> free_moves_;
    std::vector<uint64_t> hash_memory_;  // blocks_ per move
    std::vector<std::span<std::byte>> free_bounces_;
    std::vector<std::span<std::byte>> free_slice_bounces_;
    std::vector<std::unique_ptr<Session>> sessions_;
    uint32_t sessions_end_ = 0;  // one past the last that is open
    FairQueue disk_;
    uint64_t reading_bytes_ = 0;      // by all sessions
    uint32_t contenders_ = 0;         // sessions that want the disk now
    uint32_t guaranteed_ = 0;         // frames, to all sessions
    std::vector<uint8_t> sheltered_;  // by session: see find_sheltered()
    SessionStats past_;               // of closed sessions
    uint32_t promised_ = 0;           // by all sessions
    uint32_t evicting_ = 0;           // eviction moves under way
    uint32_t pieces_leaving_ = 0;     // piece_out moves under way
    uint32_t opens_left_ = 0;         // of this turn (limits::opens_per_turn)
    uint32_t work_left_ = 0;          // of this turn (limits::work_per_turn)
    bool opens_refused_ = false;      // the last frame that was to be opened
    bool part_is_fresh_ = false;      // this part of the turn has done nothing that takes long
    bool more_ = false;               // this turn has left something to do
    uint32_t next_giving_up_ = 0;     // the session whose requests advance first, round-robin
    uint32_t next_retry_ = 0;         // the move that is tried again first, round-robin
    uint32_t next_session_ = 0;       // whose waiting chunks are served first, round-robin
    uint64_t evictions_ = 0;          // counts frames that left, for refault distances
    bool pieces_short_ = false;       // fewer than half of those to be free are
    uint32_t pieces_in_ = 0;          // counts pieces that came in, for how long one is gone; wraps
    uint32_t piece_hand_ = 0;         // the piece that is looked at next
    Nanos overdue_look_at_{};         // when moves are looked at next for being overdue
    bool retry_wanted_ = false;       // a device or a queue was busy
};

}  // namespace ciuic
