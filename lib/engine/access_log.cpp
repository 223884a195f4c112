// SPDX-License-Identifier: Apache-2.0
#include "engine/access_log.hpp"

#include "base/check.hpp"

namespace ciuic {

namespace {

// | lap: 23 | write: 1 | count - 1: 20 | first: 20 |
constexpr uint32_t index_bits = 20;
static_assert(limits::session_chunks_max == 1u << index_bits);
constexpr uint64_t index_mask = (1u << index_bits) - 1;
constexpr uint32_t write_shift = 2 * index_bits;
constexpr uint32_t lap_shift = write_shift + 1;
constexpr uint64_t lap_mask = (uint64_t{1} << (64 - lap_shift)) - 1;

// Of memory that nobody has written it is 0, which no position has at first.
constexpr uint64_t lap_of(uint32_t position) {
    return (position / limits::access_log_entries + 1) & lap_mask;
}

}  // namespace

uint32_t AccessLog::append(uint32_t first, uint32_t count, bool is_write) {
    CIUIC_CHECK(count > 0 && first <= index_mask && count - 1 <= index_mask);
    const uint32_t position = written.fetch_add(1, std::memory_order_relaxed);
    const uint64_t entry = lap_of(position) << lap_shift | uint64_t{is_write} << write_shift |
                           uint64_t{count - 1} << index_bits | first;
    entries[position % limits::access_log_entries].store(entry, std::memory_order_release);
    return position;
}

// False: there is none.
bool AccessLogReader::take_entry() {
    const uint32_t ahead = log_->written.load(std::memory_order_acquire) - position_;
    if (ahead == 0) return false;
    if (ahead > limits::access_log_entries) {
        // Half of the ring is left between the reader and a writer that goes on.
        const uint32_t skipped = ahead - limits::access_log_entries / 2;
        position_ += skipped;
        lost_ += skipped;
    }
    const uint64_t entry =
        log_->entries[position_ % limits::access_log_entries].load(std::memory_order_acquire);
    const uint64_t lap = entry >> lap_shift;
    if (lap != lap_of(position_)) {
        // Not written yet; or already again, and then a later look skips it.
        return false;
    }
    ++position_;
    first_ = static_cast<uint32_t>(entry & index_mask);
    left_ = static_cast<uint32_t>(entry >> index_bits & index_mask) + 1;
    is_write_ = (entry >> write_shift & 1) != 0;
    return true;
}

std::optional<DeclaredUse> AccessLogReader::next() {
    if (left_ == 0 && (log_ == nullptr || !take_entry())) return std::nullopt;
    --left_;
    return DeclaredUse{first_++, is_write_};
}

}  // namespace ciuic
