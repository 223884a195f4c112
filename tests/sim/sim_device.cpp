// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_device.hpp"

#include "limits.hpp"

#include <algorithm>
#include <cstring>

namespace ciuic::sim {

namespace {

constexpr uint32_t delay_max = 16;  // drains that an event can be late by
constexpr uint32_t events_max = 4096;

}  // namespace

SimDevice::SimDevice(const SimDeviceOptions& options, Random random, Trace& trace)
    : options_(options),
      blocks_(static_cast<uint32_t>(options.traits.chunk_bytes / options.traits.reveal_bytes)),
      all_blocks_((uint32_t{1} << blocks_) - 1), random_(random), trace_(trace),
      memory_(options.traits.frames * options.traits.chunk_bytes +
              options.pieces * options.piece_bytes + limits::granule_bytes),
      frames_(options.traits.frames), pieces_(options.pieces), programs_(options.sessions) {
    if (blocks_ == 0 || blocks_ > 31) fail("a simulated chunk has 1 .. 31 blocks");
    const auto begin = reinterpret_cast<uintptr_t>(memory_.data());
    frames_begin_ = memory_.data() + (round_up(begin, limits::granule_bytes) - begin);
    pieces_begin_ = frames_begin_ + options.traits.frames * options.traits.chunk_bytes;
    events_.reserve(events_max);
}

void SimDevice::watch(const FrameUsers* disk, const FrameUsers* workers, Between* between) {
    disk_ = disk;
    workers_ = workers;
    between_ = between;
}

SimDevice::Chunk& SimDevice::at(ChunkRef chunk) {
    if (chunk.session.value >= programs_.size() || programs_[chunk.session.value].life == 0)
        fail("a device call for session %u, which is not attached", chunk.session.value);
    Program& program = programs_[chunk.session.value];
    if (chunk.chunk.value >= program.chunks)
        fail("a device call for chunk %u of %u", chunk.chunk.value, program.chunks);
    return program.table[chunk.chunk.value];
}

const SimDevice::Chunk& SimDevice::at(ChunkRef chunk) const {
    return const_cast<SimDevice*>(this)->at(chunk);
}

std::span<std::byte> SimDevice::frame_bytes(uint32_t frame) {
    return {frames_begin_ + frame * options_.traits.chunk_bytes, options_.traits.chunk_bytes};
}

bool SimDevice::chance(uint32_t chance) {
    return faulty_ && chance > 0 && random_.chance(chance, chance_base);
}

// Every call passes here: the program and the hardware had time until now, and the frame is the
// one that the chunk was opened with.
SimDevice::Chunk& SimDevice::begin(const char* call, ChunkRef chunk, FrameIndex frame) {
    if (between_) between_->between();
    trace_.note(call, chunk.session.value, chunk.chunk.value, frame.value);
    Chunk& facts = at(chunk);
    if (facts.phase != Phase::closed && frame.value != none_index && facts.frame != frame.value)
        fail("%s: chunk %u has frame %u, not %u", call, chunk.chunk.value, facts.frame,
             frame.value);
    return facts;
}

Status SimDevice::disturbed(ChunkRef chunk) {
    Program& program = programs_[chunk.session.value];
    if (program.dead && !program.gone) program.gone = random_.chance(1, 2);
    if (program.gone) {
        marks_.hit(Mark::disconnected);
        return Error{Errc::disconnected, 0, "the program is gone"};
    }
    if (!chance(options_.busy_chance)) return {};
    faults_.add(Fault::device_busy);
    return Error{Errc::busy, 0, "the device is busy"};
}

void SimDevice::require_unused(ChunkRef chunk, std::span<const std::byte> bytes, const char* call,
                               bool by_readers_too) const {
    for (const FrameUsers* users : {disk_, workers_}) {
        if (!users) continue;
        if (users->writes_to(bytes) || (by_readers_too && users->reads_from(bytes)))
            fail("%s: the bytes of chunk %u are still in use by %s", call, chunk.chunk.value,
                 users == disk_ ? "the disk" : "a worker");
    }
}

void SimDevice::wake(ChunkRef chunk, uint32_t blocks) {
    Chunk& facts = at(chunk);
    for (uint32_t block = 0; block < blocks_; ++block)
        if ((blocks >> block) & 1) ++facts.wakes[block];
    // The kernel takes back what nobody has read yet; what has been read stays somewhere.
    const auto is_over = [&](const Pending& pending) {
        const uint64_t block = pending.event.offset_bytes / options_.traits.reveal_bytes;
        return pending.event.chunk == chunk && ((blocks >> block) & 1) &&
               !chance(options_.stale_chance);
    };
    events_.erase(std::remove_if(events_.begin(), events_.end(), is_over), events_.end());
}

Result<std::span<std::byte>> SimDevice::open(ChunkRef chunk, FrameIndex frame) {
    if (at(chunk).phase != Phase::closed) fail("open: chunk %u is not closed", chunk.chunk.value);
    return open_part(chunk, frame, 0, options_.traits.chunk_bytes);
}

// A bit for each block of the range.
uint32_t SimDevice::blocks_of(const char* call, uint64_t offset_bytes,
                              uint64_t length_bytes) const {
    const uint64_t block_bytes = options_.traits.reveal_bytes;
    if (length_bytes == 0 || offset_bytes % block_bytes != 0 || length_bytes % block_bytes != 0 ||
        offset_bytes + length_bytes > options_.traits.chunk_bytes)
        fail("%s: [%lu, +%lu) is not made of blocks", call, offset_bytes, length_bytes);
    const auto count = static_cast<uint32_t>(length_bytes / block_bytes);
    return ((uint32_t{1} << count) - 1) << (offset_bytes / block_bytes);
}

Result<std::span<std::byte>> SimDevice::open_part(ChunkRef chunk, FrameIndex frame,
                                                  uint64_t offset_bytes, uint64_t length_bytes) {
    Chunk& facts = begin("open", chunk, frame);
    const bool is_first = facts.phase == Phase::closed;
    const uint32_t blocks = blocks_of("open", offset_bytes, length_bytes);
    if (!is_first && (facts.phase != Phase::opened || (facts.backed & blocks)))
        fail("open: a part of chunk %u is open already", chunk.chunk.value);
    if (frame.value >= frames_.size()) fail("open: there is no frame %u", frame.value);
    if (is_first && frames_[frame.value].held) fail("open: frame %u is in use", frame.value);
    const std::span<std::byte> part = frame_bytes(frame.value).subspan(offset_bytes, length_bytes);
    require_unused(chunk, part, "open", true);
    if (chance(options_.refuse_chance)) {
        faults_.add(Fault::open_refused);
        return Error{Errc::no_memory, 0, "no memory for a frame"};
    }
    if (!is_first && facts.shown != 0) marks_.hit(Mark::grown);
    if (is_first) {
        frames_[frame.value] = {.held = true, .user = chunk};
        facts.phase = Phase::opened;
        facts.frame = frame.value;
        facts.backed = facts.shown = facts.writable = facts.read_faults = 0;
        ++frames_open_;
    }
    facts.backed |= blocks;
    if (options_.traits.opens_zeroed) std::memset(part.data(), 0, part.size());
    return frame_bytes(frame.value);
}

Status SimDevice::reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                         uint64_t length_bytes, bool writable) {
    Chunk& facts = begin("reveal", chunk, frame);
    if (facts.phase != Phase::opened && facts.phase != Phase::shown)
        fail("reveal: chunk %u is neither opened nor shown", chunk.chunk.value);
    const uint32_t blocks = blocks_of("reveal", offset_bytes, length_bytes);
    if (blocks & ~facts.backed) fail("reveal: chunk %u has no such block", chunk.chunk.value);
    if (facts.phase == Phase::opened)
        require_unused(chunk, frame_bytes(frame.value).subspan(offset_bytes, length_bytes),
                       "reveal", false);
    require_pieces_hidden("reveal", chunk);
    CIUIC_TRY_STATUS(disturbed(chunk));
    const bool can_write = writable || !options_.traits.sees_writes;
    // What is mapped already keeps its right to write, as in a page table.
    facts.writable = can_write ? facts.writable | blocks : facts.writable & (facts.shown | ~blocks);
    facts.shown |= blocks;
    if (facts.poisoned) marks_.hit(Mark::poison_lifted);
    facts.poisoned = false;
    if (facts.shown == all_blocks_)
        facts.phase = Phase::shown;
    else if (facts.phase == Phase::opened)
        marks_.hit(Mark::part_shown);
    wake(chunk, blocks);
    return {};
}

Status SimDevice::allow_write(ChunkRef chunk, FrameIndex frame) {
    Chunk& facts = begin("allow_write", chunk, frame);
    if (facts.phase != Phase::shown) fail("allow_write: chunk %u is not shown", chunk.chunk.value);
    CIUIC_TRY_STATUS(disturbed(chunk));
    facts.writable = facts.shown;
    wake(chunk, all_blocks_);
    return {};
}

Result<std::span<std::byte>> SimDevice::conceal(ChunkRef chunk, FrameIndex frame) {
    Chunk& facts = begin("conceal", chunk, frame);
    if (facts.phase != Phase::shown) fail("conceal: chunk %u is not shown", chunk.chunk.value);
    CIUIC_TRY_STATUS(disturbed(chunk));
    facts.phase = Phase::concealed;
    facts.writable = 0;
    if (options_.conceals_reads) facts.shown = 0;
    if (between_) between_->between();
    return frame_bytes(frame.value);
}

Status SimDevice::restore(ChunkRef chunk, FrameIndex frame, bool writable) {
    Chunk& facts = begin("restore", chunk, frame);
    if (facts.phase != Phase::concealed)
        fail("restore: chunk %u is not concealed", chunk.chunk.value);
    require_unused(chunk, frame_bytes(frame.value), "restore", false);
    CIUIC_TRY_STATUS(disturbed(chunk));
    facts.phase = Phase::shown;
    if (options_.conceals_reads) facts.shown = all_blocks_;
    if (writable || !options_.traits.sees_writes) facts.writable = facts.shown;
    wake(chunk, all_blocks_);
    return {};
}

void SimDevice::close(ChunkRef chunk, FrameIndex frame) {
    Chunk& facts = begin("close", chunk, frame);
    if (facts.phase == Phase::closed) fail("close: chunk %u has no frame", chunk.chunk.value);
    require_unused(chunk, frame_bytes(frame.value), "close", true);
    facts.phase = Phase::closed;
    facts.frame = none_index;
    facts.backed = facts.shown = facts.writable = 0;
    frames_[frame.value] = {};
    --frames_open_;
    wake(chunk, all_blocks_);
}

Status SimDevice::poison(ChunkRef chunk) {
    Chunk& facts = begin("poison", chunk, FrameIndex{none_index});
    if (facts.phase != Phase::closed && facts.phase != Phase::opened)
        fail("poison: chunk %u is shown or concealed", chunk.chunk.value);
    require_pieces_hidden("poison", chunk);
    CIUIC_TRY_STATUS(disturbed(chunk));
    facts.poisoned = true;
    if (between_) between_->poisoned(chunk);
    wake(chunk, all_blocks_);
    return {};
}

void SimDevice::unpoison(ChunkRef chunk) {
    Chunk& facts = begin("unpoison", chunk, FrameIndex{none_index});
    if (facts.phase != Phase::closed) fail("unpoison: chunk %u is not closed", chunk.chunk.value);
    if (facts.poisoned) {
        // The machine lifts it by dropping whatever the program has there.
        require_pieces_hidden("unpoison", chunk);
        marks_.hit(Mark::poison_lifted);
    }
    facts.poisoned = false;
}

void SimDevice::detach(SessionIndex session) {
    trace_.note("detach", session.value);
    Program& program = programs_[session.value];
    if (program.life == 0) fail("detach: session %u is not attached", session.value);
    for (uint32_t chunk = 0; chunk < program.chunks; ++chunk)
        if (program.table[chunk].phase != Phase::closed)
            fail("detach: chunk %u still has a frame", chunk);
    for (const Piece& piece : pieces_)
        if (piece.phase != Phase::closed && piece.user.session == session)
            fail("detach: chunk %u still has a piece", piece.user.chunk.value);
    program.life = 0;
    const auto is_of = [&](const Pending& pending) {
        return pending.event.chunk.session == session;
    };
    events_.erase(std::remove_if(events_.begin(), events_.end(), is_of), events_.end());
}

size_t SimDevice::drain(std::span<DeviceEvent> events) {
    if (between_) between_->between();
    size_t count = 0;
    for (size_t index = 0; index < events_.size() && count < events.size();) {
        Pending& pending = events_[index];
        if (pending.delay > 0) {
            --pending.delay;
            ++index;
            continue;
        }
        events[count++] = pending.event;
        pending = events_.back();
        events_.pop_back();
    }
    if (count > 0) trace_.note("events", count);
    return count;
}

Owner SimDevice::owner_of(const std::byte* data) const {
    if (const Piece* piece = piece_at(data))
        return {programs_[piece->user.session.value].life, piece->user.chunk.value};
    if (data < frames_begin_) return {};
    const auto frame = static_cast<uint64_t>(data - frames_begin_) / options_.traits.chunk_bytes;
    if (frame >= frames_.size() || !frames_[frame].held) return {};
    const ChunkRef user = frames_[frame].user;
    return {programs_[user.session.value].life, user.chunk.value};
}

bool SimDevice::is_shown(std::span<const std::byte> bytes) const {
    if (const Piece* piece = piece_at(bytes.data())) return piece->phase == Phase::shown;
    if (owner_of(bytes.data()).life == 0) return false;
    const auto offset_bytes = static_cast<uint64_t>(bytes.data() - frames_begin_);
    const Frame& frame = frames_[offset_bytes / options_.traits.chunk_bytes];
    const uint64_t begin = offset_bytes % options_.traits.chunk_bytes;
    const uint64_t block_bytes = options_.traits.reveal_bytes;
    for (uint64_t block = begin / block_bytes; block * block_bytes < begin + bytes.size(); ++block)
        if ((at(frame.user).shown >> block) & 1) return true;
    return false;
}

bool SimDevice::count_read_fault(const std::byte* data) {
    if (const Piece* piece = piece_at(data)) {
        ++at(piece->user).read_faults;
        return true;
    }
    const auto frame = static_cast<uint64_t>(data - frames_begin_) / options_.traits.chunk_bytes;
    if (data < frames_begin_ || frame >= frames_.size()) return false;
    if (frames_[frame].held) ++at(frames_[frame].user).read_faults;
    return true;
}

void SimDevice::attach(SessionIndex session, uint32_t life, uint32_t chunks) {
    if (session.value >= programs_.size()) fail("there is no session %u", session.value);
    Program& program = programs_[session.value];
    if (program.life != 0) fail("session %u is attached twice", session.value);
    program.life = life;
    program.chunks = chunks;
    program.dead = program.gone = false;
    program.table.resize(std::max<size_t>(program.table.size(), chunks));
    for (Chunk& chunk : program.table) {
        std::vector<uint32_t> wakes = std::move(chunk.wakes);
        wakes.assign(blocks_, 0);
        chunk = {};
        chunk.wakes = std::move(wakes);
    }
}

void SimDevice::kill(SessionIndex session) { programs_[session.value].dead = true; }

Access SimDevice::access(ChunkRef chunk, uint64_t offset_bytes, bool is_write) const {
    const Chunk& facts = at(chunk);
    const uint32_t block = static_cast<uint32_t>(offset_bytes / options_.traits.reveal_bytes);
    if ((facts.shown >> block) & 1)
        return !is_write || ((facts.writable >> block) & 1) ? Access::granted : Access::write;
    if (shown_piece(chunk, offset_bytes)) return Access::granted;
    return facts.poisoned ? Access::failed : Access::missing;
}

std::byte* SimDevice::byte_at(ChunkRef chunk, uint64_t offset_bytes) {
    if (const Piece* piece = shown_piece(chunk, offset_bytes))
        return piece_bytes_of(static_cast<uint32_t>(piece - pieces_.data())).data() +
               offset_bytes % options_.piece_bytes;
    return frame_bytes(at(chunk).frame).data() + offset_bytes;
}

uint64_t SimDevice::bytes_together(ChunkRef chunk, uint64_t offset_bytes) const {
    const uint64_t unit =
        shown_piece(chunk, offset_bytes) ? options_.piece_bytes : options_.traits.reveal_bytes;
    return unit - offset_bytes % unit;
}

void SimDevice::report(ChunkRef chunk, uint64_t offset_bytes, bool is_write, Access why) {
    Pending pending;
    pending.event = {.kind =
                         why == Access::write ? DeviceEventKind::write : DeviceEventKind::missing,
                     .is_write = is_write,
                     .chunk = chunk,
                     .offset_bytes = offset_bytes};
    if (why == Access::write) marks_.hit(Mark::write_fault);
    for (const Piece& piece : pieces_)
        if (piece.phase == Phase::concealed && piece.user == chunk) marks_.hit(Mark::piece_touched);
    const Chunk& facts = at(chunk);
    if (facts.phase == Phase::concealed && disk_ && disk_->reads_from(frame_bytes(facts.frame)))
        marks_.hit(Mark::recalled_in_write);
    if (facts.phase == Phase::concealed && workers_ &&
        workers_->reads_from(frame_bytes(facts.frame)))
        marks_.hit(Mark::recalled_in_hash);
    if (chance(options_.late_chance)) {
        faults_.add(Fault::late_event);
        pending.delay = 1 + static_cast<uint32_t>(random_.below(delay_max));
    }
    if (events_.size() >= events_max) fail("more than %u faults wait", events_max);
    events_.push_back(pending);
    if (!chance(options_.duplicate_chance) || events_.size() >= events_max) return;
    faults_.add(Fault::duplicate_event);
    pending.delay += static_cast<uint32_t>(random_.below(delay_max));
    events_.push_back(pending);
}

uint32_t SimDevice::wakes(ChunkRef chunk, uint64_t offset_bytes) const {
    return at(chunk).wakes[offset_bytes / options_.traits.reveal_bytes];
}

bool SimDevice::is_part_shown(ChunkRef chunk) const {
    const Chunk& facts = at(chunk);
    return facts.phase == Phase::opened && facts.shown != 0;
}

void SimDevice::step() {
    if (!options_.traits.sees_writes || !chance(options_.hide_chance)) return;
    const Frame& frame = frames_[random_.below(frames_.size())];
    if (!frame.held) return;
    Chunk& facts = at(frame.user);
    if (facts.phase != Phase::shown && facts.phase != Phase::concealed) return;
    const uint32_t block = uint32_t{1} << random_.below(blocks_);
    facts.shown &= ~block;
    facts.writable &= ~block;
    faults_.add(Fault::hidden);
}

void SimDevice::stop_faults() {
    faulty_ = false;
    for (Pending& pending : events_) pending.delay = 0;
}

}  // namespace ciuic::sim
