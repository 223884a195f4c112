// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <bit>

namespace ciuic {

namespace {

EngineOptions with_defaults(EngineOptions options, uint32_t frames, uint32_t blocks) {
    if (options.free_frames == 0)
        options.free_frames = std::clamp(frames / 16, 4u, limits::free_frames_max);
    if (options.pieces_per_chunk_max == 0)
        options.pieces_per_chunk_max = std::clamp(blocks / 4, 1u, limits::pieces_per_chunk_max);
    return options;
}

}  // namespace

Engine::Engine(const EnginePorts& ports, const EngineOptions& options)
    : ports_(ports), chunk_bytes_(ports.device.traits().chunk_bytes),
      blocks_(static_cast<uint32_t>(chunk_bytes_ / ports.store.block_bytes())),
      has_sparse_(ports.device.traits().opens_parts && ports.device.traits().sees_writes &&
                  ports.device.traits().reveal_bytes <= ports.store.block_bytes() && blocks_ > 1 &&
                  blocks_ <= limits::sparse_blocks_max &&
                  ports.bounce.size() >= ports.store.block_bytes()),
      options_(with_defaults(options, ports.device.traits().frames, blocks_)),
      frame_memory_(ports.device.traits().frames), heat_memory_(frame_memory_.size()),
      arrival_memory_(frame_memory_.size()), moves_(limits::moves_max),
      hash_memory_(size_t{limits::moves_max} * blocks_) {
    CIUIC_CHECK(ports.store.chunk_bytes() == chunk_bytes_);
    CIUIC_CHECK(frame_memory_.size() >= limits::frames_min);
    CIUIC_CHECK(options_.free_frames >= 1 && options_.free_frames < frame_memory_.size());
    frames_ = FrameTable(frame_memory_);
    eviction_ = ClockEviction(heat_memory_);
    arrivals_ = ArrivalOrder(arrival_memory_);
    if (const Pieces* pieces = ports.device.pieces()) {
        CIUIC_CHECK(pieces->piece_bytes() == ports.store.block_bytes());
        CIUIC_CHECK(!ports.device.traits().sees_writes);
        piece_memory_.resize(pieces->count());
        pieces_ = PieceTable(piece_memory_);
    }
    free_moves_.reserve(moves_.size());
    for (uint32_t index = limits::moves_max; index-- > 0;) free_moves_.push_back(index);
    const uint64_t block_bytes = ports.store.block_bytes();
    uint64_t begin = 0;
    if (const uint64_t slice_bytes = chunk_bytes_ / read_slices_max; blocks_ % read_slices_max == 0)
        for (; begin + slice_bytes <= ports.bounce.size() / 2; begin += slice_bytes)
            free_slice_bounces_.push_back(ports.bounce.subspan(begin, slice_bytes));
    for (; begin + block_bytes <= ports.bounce.size(); begin += block_bytes)
        free_bounces_.push_back(ports.bounce.subspan(begin, block_bytes));
    sessions_.resize(options_.sessions_max);
    sheltered_.resize(options_.sessions_max);
}

Result<SessionIndex> Engine::open_session(const SessionOptions& options) {
    if (options.records.empty() || options.words.states.size() != options.records.size() ||
        options.words.pins.size() != options.records.size() ||
        options.records.size() > limits::session_chunks_max)
        return Error{Errc::invalid, 0, "session tables have wrong sizes"};
    if (options.weight < 1 || options.weight > limits::weight_max)
        return Error{Errc::invalid, 0, "a session's weight is out of range"};
    const auto place = std::find(sessions_.begin(), sessions_.end(), nullptr);
    if (place == sessions_.end()) return Error{Errc::no_memory, 0, "too many sessions"};
    if (options.frames_guaranteed > guaranteed_max() - guaranteed_)
        return Error{Errc::no_memory, 0, "the device's frames are guaranteed to others"};

    auto session = std::make_unique<Session>();
    session->chunks = ChunkTable(options.records);
    session->words = options.words;
    session->realm = options.realm;
    session->chunks_max = options.chunks_max ? options.chunks_max : ports_.store.chunks_max();
    session->frames_max = options.frames_max
                              ? std::clamp(options.frames_max, limits::frames_min, frames())
                              : frames();
    // Running further ahead than the newest arrivals that eviction spares would be for nothing.
    const uint32_t depth_max =
        std::clamp(options_.prefetch_chunks_max, 1u, session->frames_max / 4);
    session->streams = StreamPrefetch(depth_max);
    const auto chunks = static_cast<uint32_t>(options.records.size());
    auto order_memory = Mapping::create(OrderPrefetch::memory_bytes(chunks), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    if (!order_memory) return order_memory.error();
    session->order_memory = std::move(*order_memory);
    session->order.emplace(session->order_memory.bytes(), chunks, depth_max);
    if (options.declared_uses) {
        auto memory =
            Mapping::create(AdaptiveEviction::memory_bytes(chunks, session->frames_max),
                            PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        if (!memory) return memory.error();
        session->declared_memory = std::move(*memory);
        session->declared.emplace(session->declared_memory.bytes(), chunks, session->frames_max);
        session->uses = AccessLogReader(options.declared_uses);
    }
    session->frames_guaranteed = std::min(options.frames_guaranteed, session->frames_max);
    session->disk.weight = options.weight;
    guaranteed_ += session->frames_guaranteed;
    *place = std::move(session);
    const auto index = static_cast<uint32_t>(place - sessions_.begin());
    sessions_end_ = std::max(sessions_end_, index + 1);
    if (ports_.witness) ports_.witness->opened(SessionIndex{index}, chunks);
    return SessionIndex{index};
}

void Engine::close_session(SessionIndex index) {
    Session& session = session_at(index);
    if (session.closing) return;
    session.closing = true;
    session.ahead = {};
    for (Waiter& waiter : session.waiters)
        if (waiter.active) complete(index, waiter, Errc::disconnected);
    while (pop_wanted(index)) {
    }
}

bool Engine::is_valid(SessionIndex index, ChunkRange range) const {
    const uint32_t chunks = session_at(index).chunks.chunks();
    return range.count > 0 && range.first.value < chunks &&
           range.count <= chunks - range.first.value;
}

Status Engine::promise(SessionIndex index, ChunkRange range) {
    Session& session = session_at(index);
    if (session.closing) return Error{Errc::disconnected, 0, "the session is ending"};
    if (!is_valid(index, range))
        return Error{Errc::range, 0, "the range leaves the session's address space"};
    if (session.promising) return Error{Errc::busy, 0, "another promise of the session goes on"};
    const uint32_t end = range.first.value + range.count;
    CIUIC_TRY_STATUS(reserve_promises(session, range.count));
    for (uint32_t chunk = range.first.value; chunk < end; ++chunk) {
        if (session.chunks.allows(ChunkIndex{chunk}, ChunkEvent::promise)) continue;
        release_promises(session, range.count);
        return Error{Errc::invalid, 0, "a chunk of the range is already promised"};
    }
    for (uint32_t chunk = range.first.value; chunk < end; ++chunk) {
        lift_poison({index, ChunkIndex{chunk}});
        apply({index, ChunkIndex{chunk}}, ChunkEvent::promise);
    }
    session.end_chunk = std::max(session.end_chunk, end);
    session.reserved -= range.count;
    if (ports_.witness) ports_.witness->promised(index, range.first, range.count);
    return {};
}

// Counts chunks as promised that are going to be.
Status Engine::reserve_promises(Session& session, uint32_t count) {
    if (count > session.chunks_max - session.promised)
        return Error{Errc::no_memory, 0, "the session's promise is used up"};
    if (count > ports_.store.chunks_max() - std::min(promised_, ports_.store.chunks_max()))
        return Error{Errc::no_memory, 0, "the store's capacity is promised"};
    session.reserved += count;
    session.promised += count;
    promised_ += count;
    session.stats.chunks_promised = session.promised;
    session.stats.chunks_promised_peak =
        std::max(session.stats.chunks_promised_peak, session.promised);
    return {};
}

// They are not, after all.
void Engine::release_promises(Session& session, uint32_t count) {
    CIUIC_CHECK(session.reserved >= count && session.promised >= count && promised_ >= count);
    session.reserved -= count;
    session.promised -= count;
    promised_ -= count;
    session.stats.chunks_promised = session.promised;
}

bool Engine::tick() {
    begin_turn();
    do_part([this] { return drain_device(); });
    do_part([this] { return drain_declared(); });
    do_part([this] { return drain_workers(); });
    do_part([this] { return drain_store(); });
    do_part([this] { return retry_moves(); });
    do_part([this] { return answer_overdue(); });
    do_part([this] { return advance_requests(); });
    do_part([this] { return start_page_ins(); });
    // What is waited for is at the disk before others have the processor.
    ports_.store.flush();
    do_part([this] { return plan_evictions(); });
    do_part([this] { return plan_pieces_out(); });
    do_part([this] { return advance_closings(); });
    ports_.store.flush();
    return more_;
}

Nanos Engine::wait_max() const {
    if (retry_wanted_) return {200'000};
    return is_idle() ? Nanos{1'000'000'000} : Nanos{100'000'000};
}

bool Engine::is_idle() const {
    if (free_moves_.size() != moves_.size()) return false;
    return std::all_of(sessions_.begin(), sessions_.end(), [](const auto& session) {
        return !session || (session->wanted == 0 && session->waiting == 0 && !session->closing);
    });
}

Session& Engine::session_at(SessionIndex index) {
    CIUIC_CHECK(index.value < sessions_.size() && sessions_[index.value]);
    return *sessions_[index.value];
}

const Session& Engine::session_at(SessionIndex index) const {
    CIUIC_CHECK(index.value < sessions_.size() && sessions_[index.value]);
    return *sessions_[index.value];
}

bool Engine::is_promising(SessionIndex index) const { return session_at(index).promising; }

const SessionStats& Engine::stats(SessionIndex index) const { return session_at(index).stats; }

const ChunkTable& Engine::chunks(SessionIndex index) const { return session_at(index).chunks; }

SessionStats Engine::total_stats() const {
    SessionStats total = past_;
    for (const auto& session : sessions_)
        if (session) total.add(session->stats);
    return total;
}

ChunkRecord& Engine::record(ChunkRef chunk) {
    return session_at(chunk.session).chunks.edit(chunk.chunk);
}

void Engine::apply(ChunkRef chunk, ChunkEvent event) {
    ChunkTable& chunks = session_at(chunk.session).chunks;
    chunks.apply(chunk.chunk, event);
    publish(chunk, chunks[chunk.chunk].state);
}

void Engine::publish(ChunkRef chunk, ChunkState state) {
    session_at(chunk.session)
        .words.states[chunk.chunk.value]
        .store(static_cast<uint32_t>(state), std::memory_order_seq_cst);
}

bool Engine::is_pinned(ChunkRef chunk) {
    return session_at(chunk.session).words.pins.is_pinned(chunk.chunk);
}

Move& Engine::move_of(ChunkRef chunk) {
    const uint32_t index = record(chunk).move;
    CIUIC_CHECK(index < moves_.size() && moves_[index].stage != MoveStage::idle);
    return moves_[index];
}

std::span<uint64_t> Engine::hashes_of(const Move& move) {
    const auto index = static_cast<size_t>(&move - moves_.data());
    return std::span(hash_memory_).subspan(index * blocks_, blocks_);
}

TagBinding Engine::binding_of(ChunkRef chunk, Extent place) {
    return {.realm = session_at(chunk.session).realm,
            .session = chunk.session.value,
            .chunk = chunk.chunk.value,
            .generation = record(chunk).generation,
            .place = place};
}

bool Engine::is_tag_right(ChunkRef chunk, uint32_t block, uint64_t content_hash) {
    const ChunkRecord& facts = record(chunk);
    const Extent place{facts.place_first, facts.place_granules};
    return bind_tag(binding_of(chunk, place), block, content_hash) ==
           ports_.store.tags(place)[block];
}

// A chunk's pieces are its own, one per block. Returns how many.
uint32_t Engine::verify_pieces(ChunkRef chunk) const {
    const ChunkRecord& facts = session_at(chunk.session).chunks[chunk.chunk];
    if (!holds(facts.copies, Copies::pieces)) return 0;
    uint64_t blocks = 0;
    uint32_t count = 0;
    for (uint32_t index = facts.first_piece; index != none_index;
         index = pieces_[PieceIndex{index}].next) {
        const Piece& piece = pieces_[PieceIndex{index}];
        CIUIC_CHECK(piece.held && piece.owner == chunk && piece.block < blocks_);
        CIUIC_CHECK(++count <= options_.pieces_per_chunk_max);
        blocks |= uint64_t{1} << piece.block % 64;
    }
    CIUIC_CHECK(count > 0 &&
                (blocks_ > 64 || count == static_cast<uint32_t>(std::popcount(blocks))));
    return count;
}

void Engine::verify_session(SessionIndex index, Held& held) const {
    const Session& session = session_at(index);
    uint32_t frames_here = 0;
    uint32_t promised_here = 0;
    uint32_t moving = 0;
    uint32_t wanted = 0;
    for (uint32_t chunk = 0; chunk < session.chunks.chunks(); ++chunk) {
        const ChunkRecord& facts = session.chunks[ChunkIndex{chunk}];
        CIUIC_CHECK(session.chunks.is_sound(ChunkIndex{chunk}, frames()));
        if (facts.state != ChunkState::vacant) ++promised_here;
        if (is_moving(facts.state)) ++moving;
        if (facts.flags & ChunkFlags::wanted) ++wanted;
        held.pieces += verify_pieces({index, ChunkIndex{chunk}});
        if (!has_frame(facts.state)) continue;
        ++frames_here;
        const Frame& frame = frames_[FrameIndex{facts.frame}];
        CIUIC_CHECK(frame.held && frame.owner == (ChunkRef{index, ChunkIndex{chunk}}));
        CIUIC_CHECK(frame.movable == !is_moving(facts.state));
    }
    CIUIC_CHECK(frames_here == session.frames && moving == session.moves);
    CIUIC_CHECK(promised_here + session.reserved == session.promised);
    CIUIC_CHECK(wanted == session.wanted);
    CIUIC_CHECK(session.promised <= session.chunks_max && session.frames <= session.frames_max);
    held.guaranteed += session.frames_guaranteed;
    held.frames += frames_here;
    held.promised += session.promised;
}

void Engine::verify() const {
    Held held;
    for (uint32_t index = 0; index < sessions_.size(); ++index)
        if (sessions_[index]) verify_session(SessionIndex{index}, held);
    uint32_t evicting = 0;
    uint32_t pieces_leaving = 0;
    uint64_t reading_bytes = 0;
    for (const Move& move : moves_) {
        if (move.stage == MoveStage::idle) continue;
        reading_bytes += move.reading_bytes;
        if (move.kind == MoveKind::evict) ++evicting;
        if (move.kind == MoveKind::piece_out) ++pieces_leaving;
        if (move.kind == MoveKind::piece_in) ++held.pieces;  // not yet in its chunk's list
    }
    CIUIC_CHECK(held.frames + frames_.free() == frames());
    CIUIC_CHECK(held.pieces + pieces_.free() == pieces_.pieces());
    CIUIC_CHECK(held.promised == promised_);
    CIUIC_CHECK(evicting == evicting_ && pieces_leaving == pieces_leaving_);
    CIUIC_CHECK(reading_bytes == reading_bytes_ && held.guaranteed == guaranteed_);
    CIUIC_CHECK(guaranteed_ <= guaranteed_max());
}

}  // namespace ciuic
