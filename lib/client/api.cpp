// SPDX-License-Identifier: Apache-2.0
//
// The C entries: arguments checked, sessions of other processes refused, errors made statuses.
// No exception leaves: nothing in here throws but `new` when a process is out of memory, and that
// ends it.
#include "client/compose.hpp"
#include "client/error.hpp"
#include "client/fork_guard.hpp"
#include "client/session.hpp"

#include <algorithm>
#include <cstring>
#include <span>

using namespace ciuic;

namespace {

constexpr const char* beyond_quota =
    "the ranges are larger than the session's device memory; acquire less at a time, or give it a "
    "larger budget";

ProgramSession* inner(ciuic_session* session) { return reinterpret_cast<ProgramSession*>(session); }
const ProgramSession* inner(const ciuic_session* session) {
    return reinterpret_cast<const ProgramSession*>(session);
}

ciuic_status result_of(const Status& status) {
    return status.has_value() ? CIUIC_OK : fail(status.error());
}

[[gnu::cold]] ciuic_status refuse_session(const ProgramSession* session) {
    if (!session) return fail(CIUIC_E_INVALID, "the session or region is NULL");
    return fail(CIUIC_E_FORKED, "the session belongs to the parent process; open another one here");
}

bool is_usable(const ProgramSession* session) { return session && !session->is_forked(); }

// What all calls with ranges have in common.
ciuic_status check_call(const ProgramSession* session, const ciuic_range* ranges, size_t count,
                        ciuic_stream stream) {
    if (!is_usable(session)) [[unlikely]]
        return refuse_session(session);
    if (!ranges || count == 0) [[unlikely]]
        return fail(CIUIC_E_INVALID, "there is no range");
    if (stream) [[unlikely]]
        return fail(CIUIC_E_UNSUPPORTED, "the host device has no streams; pass NULL");
    return CIUIC_OK;
}

// Copies as much of the caller's structure as it has; what it lacks is zero.
template <typename T>
ciuic_status read_options(const T* from, T& options, unsigned flags_known = 0) {
    if (!from) return CIUIC_OK;
    if (from->struct_size < sizeof from->struct_size)
        return fail(CIUIC_E_INVALID, "struct_size is not set");
    if (from->struct_size > sizeof(T)) {
        const auto* bytes = reinterpret_cast<const char*>(from);
        if (std::any_of(bytes + sizeof(T), bytes + from->struct_size,
                        [](char byte) { return byte != 0; }))
            return fail(CIUIC_E_INVALID, "an option of a later ABI is set; update the library");
    }
    std::memcpy(&options, from, std::min<size_t>(from->struct_size, sizeof(T)));
    if ((options.flags & ~decltype(options.flags){flags_known}) != 0)
        return fail(CIUIC_E_INVALID, "flags has a bit that is not known");
    return CIUIC_OK;
}

// Calls `act` with the chunks of each range, up to the first refusal.
template <typename Act>
ciuic_status for_each_range(ProgramSession& session, std::span<const ciuic_range> ranges, Act act) {
    for (const ciuic_range& range : ranges) {
        ChunkSpan span;
        if (const Status status = session.resolve(range, span); !status.has_value()) [[unlikely]]
            return fail(status.error());
        if (const Status status = act(span); !status.has_value()) [[unlikely]]
            return fail(status.error());
    }
    return CIUIC_OK;
}

ciuic_status check_total(ProgramSession& session, std::span<const ciuic_range> ranges) {
    uint64_t chunks = 0;
    const ciuic_status status = for_each_range(session, ranges, [&](ChunkSpan span) -> Status {
        chunks += span.count;
        return {};
    });
    if (status != CIUIC_OK) return status;
    if (chunks > session.frames_max()) return fail(CIUIC_E_QUOTA, beyond_quota);
    return CIUIC_OK;
}

}  // namespace

ciuic_status ciuic_open(const ciuic_options* from, ciuic_session** session) {
    if (!session) return fail(CIUIC_E_INVALID, "there is no place for the session");
    *session = nullptr;
    ciuic_options options{};
    if (const ciuic_status status = read_options(from, options, CIUIC_DECLARES_USES);
        status != CIUIC_OK)
        return status;

    const auto lock = fork_guard::hold();
    auto connection = open_connection(options);
    if (!connection.has_value()) return fail(connection.error());
    auto opened = ProgramSession::create(*std::move(connection));
    if (!opened.has_value()) return fail(opened.error());
    if (const Status added = fork_guard::add(**opened); !added.has_value())
        return fail(added.error());
    *session = reinterpret_cast<ciuic_session*>(opened->release());
    return CIUIC_OK;
}

ciuic_status ciuic_close(ciuic_session* session) {
    if (!session) return CIUIC_OK;
    if (inner(session)->is_forked()) return refuse_session(inner(session));
    const auto lock = fork_guard::hold();
    fork_guard::remove(*inner(session));
    delete inner(session);
    return CIUIC_OK;
}

ciuic_status ciuic_region_create(ciuic_session* session, const ciuic_region_options* from,
                                 ciuic_region** region) {
    if (!region) return fail(CIUIC_E_INVALID, "there is no place for the region");
    *region = nullptr;
    if (!is_usable(inner(session))) return refuse_session(inner(session));
    ciuic_region_options options{};
    if (const ciuic_status status = read_options(from, options); status != CIUIC_OK) return status;
    const auto created = inner(session)->create_region(options.size_bytes, options.reserve_bytes);
    if (!created.has_value()) return fail(created.error());
    *region = *created;
    return CIUIC_OK;
}

ciuic_status ciuic_region_destroy(ciuic_region* region) {
    if (!region) return CIUIC_OK;
    if (!is_usable(region->session)) return refuse_session(region->session);
    return result_of(region->session->destroy_region(*region));
}

void* ciuic_region_address(const ciuic_region* region) {
    return region && region->session ? region->session->address_of(region->first) : nullptr;
}

uint64_t ciuic_region_size(const ciuic_region* region) {
    if (!region || !region->session) return 0;
    return region->chunks.load(std::memory_order_relaxed) * region->session->chunk_bytes();
}

ciuic_status ciuic_region_resize(ciuic_region* region, uint64_t size_bytes) {
    ProgramSession* session = region ? region->session : nullptr;
    if (!is_usable(session)) return refuse_session(session);
    return result_of(session->resize_region(*region, size_bytes));
}

ciuic_status ciuic_acquire(ciuic_session* handle, const ciuic_range* ranges, size_t count,
                           unsigned access, ciuic_stream stream) {
    ProgramSession* session = inner(handle);
    if (const ciuic_status status = check_call(session, ranges, count, stream); status != CIUIC_OK)
        return status;
    if (access == 0 || (access & ~unsigned{CIUIC_READ | CIUIC_WRITE}) != 0) [[unlikely]]
        return fail(CIUIC_E_INVALID, "access is not CIUIC_READ, CIUIC_WRITE or both");
    const std::span all(ranges, count);
    if (const ciuic_status status = check_total(*session, all); status != CIUIC_OK) return status;

    size_t held = 0;
    const ciuic_status status = for_each_range(*session, all, [&](ChunkSpan span) {
        const Status acquired = session->acquire(span, (access & CIUIC_WRITE) != 0);
        if (acquired.has_value()) ++held;
        return acquired;
    });
    if (status == CIUIC_OK) [[likely]]
        return CIUIC_OK;
    for_each_range(*session, all.first(held),
                   [&](ChunkSpan span) { return session->release(span); });
    // The engine has no room for one range, which is a matter of the budget, not of the store.
    return status == CIUIC_E_NO_MEMORY ? fail(CIUIC_E_QUOTA, beyond_quota) : status;
}

ciuic_status ciuic_release(ciuic_session* handle, const ciuic_range* ranges, size_t count,
                           ciuic_stream stream) {
    ProgramSession* session = inner(handle);
    if (const ciuic_status status = check_call(session, ranges, count, stream); status != CIUIC_OK)
        return status;
    return for_each_range(*session, {ranges, count},
                          [&](ChunkSpan span) { return session->release(span); });
}

ciuic_status ciuic_prefetch(ciuic_session* handle, const ciuic_range* ranges, size_t count,
                            ciuic_stream stream) {
    ProgramSession* session = inner(handle);
    if (const ciuic_status status = check_call(session, ranges, count, stream); status != CIUIC_OK)
        return status;
    return for_each_range(*session, {ranges, count},
                          [&](ChunkSpan span) { return session->prefetch(span); });
}

ciuic_status ciuic_advise(ciuic_session* handle, const ciuic_range* ranges, size_t count,
                          ciuic_advice advice) {
    ProgramSession* session = inner(handle);
    if (const ciuic_status status = check_call(session, ranges, count, nullptr); status != CIUIC_OK)
        return status;
    const std::span all(ranges, count);
    switch (advice) {
    case CIUIC_ADVICE_WILLNEED: return ciuic_prefetch(handle, ranges, count, nullptr);
    case CIUIC_ADVICE_COLD:
        return for_each_range(*session, all, [&](ChunkSpan span) { return session->evict(span); });
    case CIUIC_ADVICE_DISCARD:
        if (!std::all_of(all.begin(), all.end(),
                         [&](const ciuic_range& range) { return session->starts_at_chunk(range); }))
            return fail(CIUIC_E_INVALID, "a range to discard starts or ends inside a chunk");
        return for_each_range(*session, all, [&](ChunkSpan span) { return session->clear(span); });
    }
    return fail(CIUIC_E_INVALID, "there is no such advice");
}

ciuic_status ciuic_alloc(ciuic_session* session, uint64_t size_bytes, void** memory) {
    if (!memory) return fail(CIUIC_E_INVALID, "there is no place for the address");
    *memory = nullptr;
    if (!is_usable(inner(session))) return refuse_session(inner(session));
    const auto allocated = inner(session)->allocate(size_bytes);
    if (!allocated.has_value()) return fail(allocated.error());
    *memory = *allocated;
    return CIUIC_OK;
}

ciuic_status ciuic_free(ciuic_session* session, void* memory) {
    if (!memory) return CIUIC_OK;
    if (!is_usable(inner(session))) {
        if (session && inner(session)->owns(memory)) return CIUIC_OK;
        return refuse_session(inner(session));
    }
    return result_of(inner(session)->free(memory));
}

ciuic_status ciuic_alloc_resize(ciuic_session* session, void* memory, uint64_t size_bytes) {
    if (!is_usable(inner(session))) return refuse_session(inner(session));
    return result_of(inner(session)->resize(memory, size_bytes));
}

int ciuic_owns(const ciuic_session* session, const void* address) {
    return session && inner(session)->owns(address);
}

uint64_t ciuic_usable_size(ciuic_session* session, const void* memory) {
    return session ? inner(session)->usable_size(memory) : 0;
}

ciuic_status ciuic_stats(ciuic_session* session, ciuic_statistics* statistics) {
    if (!is_usable(inner(session))) return refuse_session(inner(session));
    if (!statistics || statistics->struct_size < sizeof statistics->struct_size)
        return fail(CIUIC_E_INVALID, "there are no statistics to fill, or struct_size is not set");
    ciuic_statistics filled{};
    filled.struct_size = std::min<uint64_t>(statistics->struct_size, sizeof filled);
    inner(session)->fill(filled);
    std::memcpy(statistics, &filled, filled.struct_size);
    return CIUIC_OK;
}

const char* ciuic_status_text(ciuic_status status) {
    switch (status) {
    case CIUIC_OK: return "ok";
    case CIUIC_E_INVALID: return "invalid argument";
    case CIUIC_E_RANGE: return "outside its region";
    case CIUIC_E_NO_MEMORY: return "no room left";
    case CIUIC_E_QUOTA: return "more than the device memory";
    case CIUIC_E_BUSY: return "in use";
    case CIUIC_E_DATA_LOST: return "data lost";
    case CIUIC_E_IO: return "refused by the operating system";
    case CIUIC_E_TIMED_OUT: return "timed out";
    case CIUIC_E_UNSUPPORTED: return "not supported here";
    case CIUIC_E_PERMISSION: return "permission denied";
    case CIUIC_E_DISCONNECTED: return "the daemon is gone";
    case CIUIC_E_VERSION: return "protocol version mismatch";
    case CIUIC_E_FORKED: return "session of the parent process";
    }
    return "unknown status";
}

const char* ciuic_last_error_text(void) { return last_failure_text(); }

uint32_t ciuic_version(void) { return CIUIC_ABI_VERSION; }
