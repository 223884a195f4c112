// SPDX-License-Identifier: Apache-2.0
//
// Opening, the hit path and what it falls back to.
#include "client/session.hpp"

#include "engine/access_log.hpp"
#include "residency/cause.hpp"

#include <bit>

namespace ciuic {

Result<std::unique_ptr<ProgramSession>>
ProgramSession::create(std::unique_ptr<Connection> connection) {
    CIUIC_TRY(AddressAllocator addresses, AddressAllocator::create(connection->facts().chunks));
    CIUIC_TRY(Mapping regions,
              Mapping::create(limits::regions_per_session_max * sizeof(ciuic_region),
                              PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
    return std::unique_ptr<ProgramSession>(
        new ProgramSession(std::move(connection), std::move(addresses), std::move(regions)));
}

ProgramSession::ProgramSession(std::unique_ptr<Connection> connection, AddressAllocator addresses,
                               Mapping regions)
    : connection_(std::move(connection)), channel_(*connection_), addresses_(std::move(addresses)),
      region_memory_(std::move(regions)) {
    const Connection::Facts& facts = connection_->facts();
    chunk_shift_ = static_cast<uint32_t>(std::countr_zero(facts.chunk_bytes));
    frames_max_ = facts.frames_max ? facts.frames_max : facts.chunks;
    base_ = facts.space.data();
    space_bytes_ = uint64_t{facts.chunks} << chunk_shift_;
    states_ = std::as_const(connection_->engine_segment()).states().data();
    pins_ = connection_->client_segment().pins().data();
    declared_uses_ = facts.declared_uses;
}

bool ProgramSession::starts_at_chunk(const ciuic_range& range) const {
    const uint64_t begin =
        range.region ? range.offset_bytes : range.offset_bytes - reinterpret_cast<uintptr_t>(base_);
    return ((begin | range.length_bytes) & (chunk_bytes() - 1)) == 0;
}

// An engine that sleeps has nothing to bring, for the moment; it is told now and then.
void ProgramSession::declare(ChunkSpan span, bool is_write) {
    constexpr uint32_t uses_per_ring = 16;
    const uint32_t position = declared_uses_->append(span.first, span.count, is_write);
    if (position % uses_per_ring == 0) channel_.wake_engine();
}

// `missing` is the part of `pinned` from the first chunk that is not there.
Status ProgramSession::fetch_missing(ChunkSpan missing, ChunkSpan pinned) {
    uint32_t end = missing.first + missing.count;
    while (end - 1 > missing.first && state_of(end - 1) == ChunkState::resident) --end;
    const Status fetched = ask(wire::RequestKind::acquire, {missing.first, end - missing.first});
    if (!fetched.has_value()) unpin(pinned);
    return fetched;
}

void ProgramSession::unpin(ChunkSpan span) {
    for (uint32_t chunk = span.first; chunk < span.first + span.count; ++chunk)
        pins_[chunk].fetch_sub(1, std::memory_order_seq_cst);
}

bool ProgramSession::is_pinned(ChunkSpan span) const {
    for (uint32_t chunk = span.first; chunk < span.first + span.count; ++chunk)
        if ((pins_[chunk].load(std::memory_order_relaxed) & SharedWords::pin_mask) != 0)
            return true;
    return false;
}

Status ProgramSession::ask(wire::RequestKind kind, ChunkSpan span) {
    const Status answer = channel_.call(kind, span.first, span.count);
    switch (answer.error().code) {
    case Errc::ok: return {};
    case Errc::invalid: return Error{Errc::range, 0, "a part of the range is not allocated"};
    case Errc::data_lost:
        return Error{Errc::data_lost, 0,
                     "a chunk's only copy failed its integrity check or cannot be read"};
    case Errc::disconnected:
        return Error{Errc::disconnected, 0,
                     "the daemon is gone and took the session's bytes with it; close the session"};
    default: return answer;
    }
}

Status ProgramSession::clear(ChunkSpan span) {
    if (is_pinned(span)) return Error{Errc::busy, 0, "a part of the range is acquired"};
    return ask(wire::RequestKind::clear, span);
}

void ProgramSession::abandon_in_child() {
    forked_.store(true, std::memory_order_relaxed);
    // The addresses are not the child's, but must not become anybody else's either: inherited
    // pointers are told from others by where they point.
    (void)::mmap(base_, space_bytes_, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    connection_->leave_to_parent();
}

void ProgramSession::fill(ciuic_statistics& out) {
    const Connection::Facts& facts = connection_->facts();
    const wire::Statistics& in = std::as_const(connection_->engine_segment()).statistics();
    const auto get = [](const std::atomic<uint64_t>& count) {
        return count.load(std::memory_order_relaxed);
    };
    out.abi_version = CIUIC_ABI_VERSION;
    out.mode = facts.mode;
    out.chunk_bytes = chunk_bytes();
    out.budget_bytes = facts.frames_max * chunk_bytes() + facts.pieces * facts.piece_bytes;
    out.base_address = reinterpret_cast<uintptr_t>(base_);
    out.address_bytes = space_bytes_;
    out.allocated_bytes = get(in.chunks_promised) * chunk_bytes();
    out.allocated_bytes_peak = get(in.chunks_promised_peak) * chunk_bytes();
    // Out before in: the engine counts on meanwhile.
    const uint64_t pieces_out = get(in.pieces_out);
    out.device_bytes =
        get(in.frames) * chunk_bytes() + (get(in.pieces_in) - pieces_out) * facts.piece_bytes;
    out.device_bytes_peak = get(in.frames_peak) * chunk_bytes();
    out.faults = get(in.faults);
    out.write_faults = get(in.write_faults);
    out.stray_touches = get(in.stray_touches);
    out.fills = get(in.fills);
    out.fetches = get(in.fetches);
    out.evictions = get(in.evictions);
    out.evictions_clean = get(in.evictions_clean);
    out.recalls = get(in.recalls);
    out.prefetches = get(in.prefetches);
    out.prefetches_used = get(in.prefetches_used);
    out.prefetches_wasted = get(in.prefetches_wasted);
    out.store_bytes_written = get(in.store_bytes_written);
    out.store_bytes_read = get(in.store_bytes_read);
    out.tag_failures = get(in.tag_failures);
    out.write_failures = get(in.write_failures);
    out.chunks_lost = get(in.chunks_lost);
    out.stall_ns = get(in.stall_ns);
    out.bytes_in_fault = get(in.bytes_in_by_cause[static_cast<size_t>(Cause::fault)]);
    out.bytes_in_acquire = get(in.bytes_in_by_cause[static_cast<size_t>(Cause::acquire)]);
    out.bytes_in_prefetch = get(in.bytes_in_by_cause[static_cast<size_t>(Cause::prefetch)]);
    out.pieces_in = get(in.pieces_in);
    out.pieces_out = pieces_out;
    out.pieces_written = get(in.pieces_written);
    out.gathers = get(in.gathers);
    out.waits_expired = get(in.waits_expired);
    out.prefetches_in_order = get(in.prefetches_in_order);
    count_states(out);
}

void ProgramSession::count_states(ciuic_statistics& out) {
    uint32_t end = 0;
    {
        const std::lock_guard lock(mutex_);
        end = addresses_.high_water();
    }
    for (uint32_t chunk = 0; chunk < end; ++chunk) switch (state_of(chunk)) {
        case ChunkState::empty:
        case ChunkState::zeroed: out.empty_bytes += chunk_bytes(); break;
        case ChunkState::stored:
        case ChunkState::scattered: out.store_bytes += chunk_bytes(); break;
        case ChunkState::lost: out.lost_bytes += chunk_bytes(); break;
        default: break;
        }
}

}  // namespace ciuic
