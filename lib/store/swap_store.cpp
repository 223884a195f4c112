// SPDX-License-Identifier: Apache-2.0
#include "store/swap_store.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <cerrno>

namespace ciuic {

namespace {

constexpr uint64_t granule = limits::granule_bytes;

// Refusals that may not be there the next time.
bool is_worth_repeating(int os_error) {
    return os_error == EIO || os_error == EAGAIN || os_error == EINTR;
}

}  // namespace

SwapStore::SwapStore(Io& io, Clock& clock, const StoreOptions& options)
    : io_(io), clock_(clock), options_(options), extents_(options.capacity_bytes),
      requests_(std::make_unique<Request[]>(io.depth())) {
    CIUIC_CHECK(is_power_of_two(options.chunk_bytes) && is_power_of_two(options.block_bytes));
    CIUIC_CHECK(options.chunk_bytes <= limits::chunk_bytes_max);
    CIUIC_CHECK(options.block_bytes >= granule && options.block_bytes <= options.chunk_bytes);
    CIUIC_CHECK(options.capacity_bytes % options.chunk_bytes == 0);
    // 64 GiB / 64 KiB per block x 8 B = 8 MiB of tags.
    tags_ = std::make_unique<uint64_t[]>(options.capacity_bytes / options.block_bytes);
}

SwapStore::~SwapStore() = default;

uint32_t SwapStore::chunks_max() const {
    return static_cast<uint32_t>(options_.capacity_bytes / options_.chunk_bytes -
                                 stats_.places_quarantined);
}

uint32_t SwapStore::chunk_granules() const {
    return static_cast<uint32_t>(options_.chunk_bytes / granule);
}

Result<Extent> SwapStore::allocate() {
    CIUIC_TRY(const Extent extent, extents_.allocate(chunk_granules(), chunk_granules()));
    ++stats_.places_used;
    return extent;
}

void SwapStore::release(Extent extent) {
    for (uint32_t index = 0; index < io_.depth(); ++index)
        CIUIC_CHECK(!(requests_[index].busy && requests_[index].extent == extent));
    CIUIC_CHECK(extent.granules == chunk_granules());
    extents_.release(extent);
    --stats_.places_used;
}

void SwapStore::quarantine(Extent extent) {
    CIUIC_CHECK(extent.granules == chunk_granules());
    --stats_.places_used;
    ++stats_.places_quarantined;
}

std::span<uint64_t> SwapStore::tags(Extent extent) {
    CIUIC_CHECK(extent.granules == chunk_granules());
    CIUIC_CHECK(extent.offset_bytes() + extent.length_bytes() <= options_.capacity_bytes);
    return {&tags_[extent.offset_bytes() / options_.block_bytes],
            options_.chunk_bytes / options_.block_bytes};
}

Status SwapStore::read(Extent extent, uint64_t offset_bytes, std::span<std::byte> data,
                       uint64_t token) {
    return start(IoOp::read, extent, offset_bytes, data.data(), data.size(), token);
}

Status SwapStore::write(Extent extent, uint64_t offset_bytes, std::span<const std::byte> data,
                        uint64_t token) {
    // The port has one pointer for both directions; a write only reads through it.
    return start(IoOp::write, extent, offset_bytes, const_cast<std::byte*>(data.data()),
                 data.size(), token);
}

Status SwapStore::start(IoOp op, Extent extent, uint64_t offset_bytes, std::byte* data,
                        uint64_t length_bytes, uint64_t token) {
    CIUIC_CHECK(length_bytes > 0 && length_bytes % granule == 0 && offset_bytes % granule == 0);
    CIUIC_CHECK(offset_bytes + length_bytes <= extent.length_bytes());
    CIUIC_CHECK(extent.offset_bytes() + extent.length_bytes() <= options_.capacity_bytes);
    uint32_t index = 0;
    while (index < io_.depth() && requests_[index].busy) ++index;
    if (index == io_.depth()) return Error{Errc::busy, 0, "all disk requests are in flight"};

    requests_[index] = {.busy = true,
                        .op = op,
                        .extent = extent,
                        .offset_bytes = extent.offset_bytes() + offset_bytes,
                        .data = data,
                        .length_bytes = length_bytes,
                        .token = token,
                        .deadline = clock_.now() + options_.io_deadline};
    if (Status refused = submit(index); !refused.has_value()) {
        requests_[index].busy = false;
        return refused;
    }
    ++in_flight_;
    return {};
}

Status SwapStore::submit(uint32_t index) {
    const Request& request = requests_[index];
    return io_.submit(
        {.op = request.op,
         .offset_bytes = request.offset_bytes + request.done_bytes,
         .data = request.data + request.done_bytes,
         .length_bytes = static_cast<uint32_t>(request.length_bytes - request.done_bytes),
         .token = index});
}

size_t SwapStore::poll(std::span<StoreCompletion> completions) {
    cancel_late();
    size_t count = 0;
    bool resubmitted = false;
    std::array<IoResult, limits::io_depth_max> results;
    while (count < completions.size()) {
        // A result gives at most one completion, so what is drained here always fits.
        const size_t room = std::min(results.size(), completions.size() - count);
        const size_t drained = io_.drain(std::span(results).first(room));
        if (drained == 0) break;
        for (const IoResult& result : std::span(results).first(drained)) {
            const auto index = static_cast<uint32_t>(result.token);
            CIUIC_CHECK(index < io_.depth() && requests_[index].busy);
            Status status;
            if (!advance(index, result.result, status)) {
                resubmitted = true;
                continue;
            }
            completions[count++] = {requests_[index].token, status};
            requests_[index].busy = false;
            --in_flight_;
        }
    }
    if (resubmitted) io_.flush();
    return count;
}

// Takes a result in. True: the request has ended with `status`. False: the rest was asked for.
bool SwapStore::advance(uint32_t index, int64_t result, Status& status) {
    Request& request = requests_[index];
    const uint64_t left_bytes = request.length_bytes - request.done_bytes;
    if (result == static_cast<int64_t>(left_bytes)) {
        uint64_t& counter = request.op == IoOp::read ? stats_.bytes_read : stats_.bytes_written;
        counter += request.length_bytes;
        return true;
    }
    const int os_error = result < 0 ? static_cast<int>(-result) : 0;
    if (result == 0 || result > static_cast<int64_t>(left_bytes)) {
        status = Error{Errc::io, 0, "the disk transferred no bytes or too many"};
    } else if (request.late) {
        status = os_refusal("disk request ended after its deadline", os_error);
    } else if (result > 0) {
        // Direct I/O goes on at a granule; what was moved of the last one is moved again.
        const uint64_t whole_bytes = static_cast<uint64_t>(result) / granule * granule;
        request.done_bytes += whole_bytes;
        if (whole_bytes > 0 || request.repeats < options_.retries) {
            if (whole_bytes == 0) ++request.repeats;
            resume(index);
            return false;
        }
        status = Error{Errc::io, 0, "the disk transfers less than a granule"};
    } else if (is_worth_repeating(os_error) && request.repeats < options_.retries) {
        ++request.repeats;
        resume(index);
        return false;
    } else {
        status = os_refusal("disk request", os_error);
    }
    ++stats_.failures;
    return true;
}

// The port has room: the request's own result has just been drained.
void SwapStore::resume(uint32_t index) {
    ++stats_.retries;
    const Status submitted = submit(index);
    CIUIC_CHECK(submitted.has_value());
}

void SwapStore::cancel_late() {
    if (in_flight_ == 0) return;
    const Nanos now = clock_.now();
    for (uint32_t index = 0; index < io_.depth(); ++index) {
        Request& request = requests_[index];
        if (!request.busy || request.late || now < request.deadline) continue;
        request.late = true;
        ++stats_.late;
        io_.cancel(index);
    }
}

}  // namespace ciuic
