// SPDX-License-Identifier: Apache-2.0
//
// Fetch: a stored chunk gets a frame, its bytes are read, verified and shown.
//
// What the program waits for is read in parts, each hashed as it comes. Where the device can show a
// part of a chunk, the block that is waited for is read and shown first, read-only. Where opening a
// frame takes its time, the first part is on its way meanwhile, into a bounce buffer.
#include "base/check.hpp"
#include "engine/engine.hpp"

#include <bit>
#include <cerrno>
#include <cstring>

namespace ciuic {

namespace {

constexpr uint16_t bit_of(uint32_t part) { return static_cast<uint16_t>(1u << part); }

}  // namespace

// Part 0 is the first block; the parts 1 + 2 n and 2 + 2 n are what slice n has before and behind
// it.
ReadPart Engine::part_of(const Move& move, uint32_t part) const {
    const uint64_t block_bytes = ports_.store.block_bytes();
    const bool has_first = move.first_block != none_index;
    const uint64_t first_bytes = has_first ? move.first_block * block_bytes : 0;
    if (part == 0) return has_first ? ReadPart{first_bytes, block_bytes} : ReadPart{};
    const uint64_t slice_bytes = chunk_bytes_ / move.slices;
    const uint64_t begin_bytes = (part - 1) / 2 * slice_bytes;
    const uint64_t end_bytes = begin_bytes + slice_bytes;
    if (end_bytes > chunk_bytes_) return {};
    const bool is_behind = (part - 1) % 2 == 1;
    const bool holds_first = has_first && begin_bytes <= first_bytes && first_bytes < end_bytes;
    if (!holds_first) return is_behind ? ReadPart{} : ReadPart{begin_bytes, slice_bytes};
    if (!is_behind) return {begin_bytes, first_bytes - begin_bytes};
    return {first_bytes + block_bytes, end_bytes - first_bytes - block_bytes};
}

// Where the part is read to: the frame, or the bounce buffer if it is the first of all.
std::span<std::byte> Engine::place_of(const Move& move, uint32_t part) const {
    const auto [offset_bytes, length_bytes] = part_of(move, part);
    const bool is_first = part == (move.first_block != none_index ? 0u : 1u);
    if (is_first && !move.bounce.empty()) return move.bounce.first(length_bytes);
    return move.bytes.subspan(offset_bytes, length_bytes);
}

// False: the machine refused memory for the frame; nothing has changed.
bool Engine::start_fetch(ChunkRef chunk, Cause cause) {
    Session& session = session_at(chunk.session);
    give_way_to_fetch(chunk);
    Move& move = begin_move(MoveKind::fetch, chunk, cause);
    // Whoever scans needs the whole chunk, and has it on its way before it is touched.
    const bool is_ahead = cause == Cause::prefetch || session.streams.is_streaming();
    const bool bounces = !is_ahead && ports_.device.traits().opens_zeroed && !opens_refused_ &&
                         !free_slice_bounces_.empty();
    if (bounces) {
        take_frame(move);
        move.bounce = free_slice_bounces_.back();
        free_slice_bounces_.pop_back();
    } else if (!open_frame(move)) {
        end_move(move);
        return false;
    }
    record(chunk).flags &= static_cast<uint8_t>(~ChunkFlags::dense);
    const bool gathers = record(chunk).state == ChunkState::scattered;
    apply(chunk, gathers ? ChunkEvent::gather_start : ChunkEvent::fetch_start);
    ++session.stats.fetches;
    begin_read(move, chunk_bytes_);
    // The program uses some of the chunk already: the whole is shown as soon as it is there.
    if (gathers) {
        move.demanded = true;
        session.lone.needed_whole(chunk.chunk);
    }
    // Others that want the disk have it between two slices.
    if ((!is_ahead || contenders_ > 1) && blocks_ % read_slices_max == 0)
        move.slices = read_slices_max;
    const bool shows_blocks =
        blocks_ > 1 && ports_.device.traits().reveal_bytes <= ports_.store.block_bytes();
    const bool is_read = !(record(chunk).flags & ChunkFlags::write_wanted);
    if (cause == Cause::fault && !is_ahead && shows_blocks && is_read)
        move.first_block = record(chunk).wanted_block;
    read_parts_from(move, 0);
    // The frame is made while the disk is at work. What is refused now is tried again then.
    if (bounces && open_taken_frame(move)) submit_reads(move);
    return true;
}

// Reads all parts from this one on, for the first time or again.
void Engine::read_parts_from(Move& move, uint32_t first_part) {
    for (uint32_t part = first_part; part < read_parts; ++part)
        if (part_of(move, part).length_bytes > 0) move.parts_left |= bit_of(part);
    move.parts_unhashed |= move.parts_left;
    submit_reads(move);
}

void Engine::submit_reads(Move& move) {
    const auto index = static_cast<uint64_t>(&move - moves_.data());
    while (move.parts_left) {
        const bool awaits_frame = !is_open(move) && move.parts_flying;
        if (awaits_frame ||
            (contenders_ > 1 && std::popcount(move.parts_flying) >= limits::contended_parts)) {
            move.stage = MoveStage::reading;  // the next follows one that comes back
            return;
        }
        const auto part = static_cast<uint32_t>(std::countr_zero(move.parts_left));
        if (!ports_.store.read(move.place, part_of(move, part).offset_bytes, place_of(move, part),
                               index * read_parts + part)) {
            move.stage = MoveStage::read_wanted;
            return;
        }
        move.parts_left &= static_cast<uint16_t>(~bit_of(part));
        move.parts_flying |= bit_of(part);
        // Submitted together, neighbours are merged into one transfer again.
        if (move.slices > 1) ports_.store.flush();
    }
    move.stage = MoveStage::reading;
}

void Engine::on_read(Move& move, uint32_t part, const Status& status) {
    CIUIC_CHECK(move.kind == MoveKind::fetch && (move.parts_flying & bit_of(part)));
    move.parts_flying &= static_cast<uint16_t>(~bit_of(part));
    if (!is_open(move)) {
        const bool is_wanted = !move.overdue && !(record(move.chunk).flags & ChunkFlags::doomed);
        if (!is_wanted || !open_taken_frame(move)) return abort_fetch(move);
    }
    if (status) {
        const uint64_t length_bytes = part_of(move, part).length_bytes;
        session_at(move.chunk.session).stats.store_bytes_read += length_bytes;
        if (length_bytes <= limits::hash_here_bytes_max) hash_part(move, part);
        if (!move.bounce.empty()) bring_home(move, part);
        if (part == 0) show_first_block(move);
    } else {
        move.read_failed = true;
    }
    if (status.error().os_error == EFAULT) {
        move.client_failed = true;
        ports_.clients.tampered(move.chunk.session);
    }
    if (move.parts_left && move.stage == MoveStage::reading) submit_reads(move);
    if (move.parts_left || move.parts_flying) return;
    if (move.read_failed) return retry_fetch(move);
    end_read(move);
    if (move.parts_unhashed == 0) return verify_fetched(move);
    submit_job(move, JobKind::hash, MoveStage::hashing);
}

// On the spot, while the next part is on its way: a worker's wake-ups take longer.
void Engine::hash_part(Move& move, uint32_t part) {
    const uint64_t block_bytes = ports_.store.block_bytes();
    const auto [offset_bytes, length_bytes] = part_of(move, part);
    const std::span<const std::byte> bytes = place_of(move, part);
    hash_blocks(bytes, block_bytes,
                hashes_of(move).subspan(offset_bytes / block_bytes, length_bytes / block_bytes));
    move.parts_unhashed &= static_cast<uint16_t>(~bit_of(part));
}

void Engine::bring_home(Move& move, uint32_t part) {
    const std::span<const std::byte> bytes = place_of(move, part);
    if (bytes.data() != move.bounce.data()) return;
    std::memcpy(move.bytes.data() + part_of(move, part).offset_bytes, bytes.data(), bytes.size());
    give_back_bounce(move);
}

void Engine::give_back_bounce(Move& move) {
    if (!move.bounce.empty()) free_slice_bounces_.push_back(move.bounce);
    move.bounce = {};
}

// A block that does not match is left to verify_fetched(), which sees it again.
void Engine::show_first_block(Move& move) {
    ChunkRecord& facts = record(move.chunk);
    if (move.first_shown || move.overdue ||
        (facts.flags & (ChunkFlags::doomed | ChunkFlags::write_wanted)))
        return;
    if (!is_tag_right(move.chunk, move.first_block, hashes_of(move)[move.first_block])) return;
    const uint64_t block_bytes = ports_.store.block_bytes();
    const uint64_t offset_bytes = move.first_block * block_bytes;
    if (!ports_.device.reveal(move.chunk, move.frame, offset_bytes, block_bytes, false)) return;
    move.first_shown = true;
    end_wait(move.chunk);
}

void Engine::verify_fetched(Move& move) {
    const std::span<const uint64_t> hashes = hashes_of(move);
    for (uint32_t block = 0; block < blocks_; ++block) {
        if (find_piece(move.chunk, block)) continue;  // what was read there does not count
        if (is_tag_right(move.chunk, block, hashes[block])) continue;
        ++session_at(move.chunk.session).stats.tag_failures;
        return retry_fetch(move);
    }
    show_fetched(move);
}

void Engine::show_fetched(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (move.overdue || (facts.flags & ChunkFlags::doomed)) return abort_fetch(move);
    const bool writable =
        !ports_.device.traits().sees_writes || (facts.flags & ChunkFlags::write_wanted);
    const bool gathers = facts.state == ChunkState::gathering;
    const bool shows = move.demanded || session_at(chunk.session).declared;
    if (shows) {
        // From here to the end the pieces are out of the program's sight.
        Status shown = conceal_pieces(chunk, move.bytes);
        if (shown) shown = ports_.device.reveal(chunk, move.frame, 0, chunk_bytes_, writable);
        if (shown.error().code == Errc::busy) {
            move.stage = MoveStage::showing;
            retry_wanted_ = true;
            return;
        }
        if (!shown) return abort_fetch(move);
    }
    SessionStats& stats = session_at(chunk.session).stats;
    stats.bytes_in_by_cause[static_cast<size_t>(move.cause)] += chunk_bytes_;
    const Entry entry = entry_of(chunk, move.demanded ? Cause::fault : move.cause);
    drop_pieces(chunk);
    if (gathers) ++stats.gathers;
    apply(chunk, gathers ? ChunkEvent::gather_done
                 : shows ? ChunkEvent::fetch_done_shown
                         : ChunkEvent::fetch_done);
    hold_frame(chunk, entry);
    if (shows) {
        end_wait(chunk);
        note_shown(chunk, writable);
    }
    end_move(move);
}

// The store copy is untouched: the chunk is where it was. Pieces that are out of the program's
// sight come back to it at its next touch. Closing wakes whoever waits, to come again; where there
// is nothing to close they go on waiting, for the whole chunk.
void Engine::abort_fetch(Move& move) {
    const ChunkRef chunk = move.chunk;
    const bool wakes = is_open(move);
    const bool waits = !wakes && !move.overdue && !session_at(chunk.session).closing;
    if (wakes) ports_.device.close(chunk, move.frame);
    const bool gathers = record(chunk).state == ChunkState::gathering;
    apply(chunk, gathers ? ChunkEvent::gather_abort : ChunkEvent::fetch_abort);
    release_frame(chunk);
    if (!waits) end_wait(chunk);
    const Cause cause = move.touched ? Cause::fault : Cause::acquire;
    end_move(move);
    if (!waits) return;
    want(chunk, record(chunk).wanted_block, false, cause);
    // At which blocks they wait is not known any more.
    record(chunk).flags |= ChunkFlags::dense;
}

// A failed read or tag may be the transfer's fault: the bytes are read afresh. A block that the
// program sees already has been verified and is not written over.
void Engine::retry_fetch(Move& move) {
    if (move.overdue || (record(move.chunk).flags & ChunkFlags::doomed)) return abort_fetch(move);
    if (move.tries++ >= limits::io_retries_max) return lose(move);
    give_back_bounce(move);
    move.read_failed = false;
    read_parts_from(move, move.first_shown ? 1 : 0);
}

// What was to come in, the whole chunk or a block, cannot be read as it was written.
void Engine::lose(Move& move) {
    const ChunkRef chunk = move.chunk;
    ChunkRecord& facts = record(chunk);
    if (move.kind != MoveKind::piece_in) {
        if (is_open(move)) ports_.device.close(chunk, move.frame);
        forget_blocks(chunk);
        release_frame(chunk);
    } else {
        ports_.device.pieces()->close(piece_ref(move.piece));
        pieces_.give_back(move.piece);
    }
    drop_pieces(chunk);
    apply(chunk, ChunkEvent::copy_lost);
    facts.flags &=
        static_cast<uint8_t>(~(ChunkFlags::kept | ChunkFlags::write_wanted | ChunkFlags::dense));
    facts.place_first = facts.place_granules = 0;
    // Whoever can change bytes on their way, or make a transfer fail, must not use up the store.
    const bool is_clients_doing =
        move.client_failed || (!move.read_failed && ports_.device.traits().program_reaches_frames);
    if (is_clients_doing)
        ports_.store.release(move.place);
    else
        ports_.store.quarantine(move.place);
    ++session_at(chunk.session).stats.chunks_lost;
    end_wait(chunk);
    if (!refuse(chunk)) want(chunk, 0, false, Cause::fault);
    end_move(move);
}

// The program touched what came in ahead. False: the device is busy.
bool Engine::show_untouched(ChunkRef chunk, bool is_write) {
    ChunkRecord& facts = record(chunk);
    // Zeros are there to be written.
    const bool writable =
        !ports_.device.traits().sees_writes || is_write || facts.state == ChunkState::zeroed;
    const FrameIndex frame{facts.frame};
    const Status shown = ports_.device.reveal(chunk, frame, 0, chunk_bytes_, writable);
    if (shown.error().code == Errc::busy) {
        retry_wanted_ = true;
        return false;
    }
    end_wait(chunk);
    if (!shown) return true;  // the program is gone; its session is about to end
    if (facts.state == ChunkState::ready) ++session_at(chunk.session).stats.prefetches_used;
    apply(chunk, ChunkEvent::show);
    note_use(chunk);
    note_shown(chunk, writable);
    note_touch(chunk, is_write);
    return true;
}

// From now on the program may write where `writable`: the store copy does not count any more. What
// the place holds stays known, and the eviction compares: bytes written again as they were are not
// written to the disk.
void Engine::note_shown(ChunkRef chunk, bool writable) {
    if (!writable) return;
    ChunkRecord& facts = record(chunk);
    if (holds(facts.copies, Copies::store)) apply(chunk, ChunkEvent::write);
    facts.flags &= static_cast<uint8_t>(~ChunkFlags::write_wanted);
}

}  // namespace ciuic
