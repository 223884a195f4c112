// SPDX-License-Identifier: Apache-2.0
#include "io/uring.hpp"

#include "base/check.hpp"
#include "limits.hpp"

#include <algorithm>
#include <cerrno>

namespace ciuic {

namespace {

// From most to least wanted. A kernel refuses flags it does not know with EINVAL. A single issuer
// (6.0) is the thread that enables the ring, hence the disabled start. TASKRUN_FLAG lets drain()
// see without a system call that completions wait to be run.
constexpr unsigned setup_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_R_DISABLED,
};

constexpr uint64_t cancel_key = 0;  // of the cancel requests themselves
constexpr uint64_t slot_bits = 8;
static_assert(limits::io_depth_max <= 1u << slot_bits);

// io_uring_submit() may be refused for a moment (no memory, completions to be run first). What
// was not taken stays queued and goes with the next flush() or drain().
constexpr int submit_attempts_max = 16;

}  // namespace

Result<std::unique_ptr<Io>> UringIo::create(int fd, uint32_t depth) {
    if (depth == 0 || depth > limits::io_depth_max)
        return Error{Errc::invalid, 0, "I/O depth outside 1 .. limits::io_depth_max"};
    std::unique_ptr<UringIo> io(new UringIo(fd, depth));
    if (const int refused = io->set_up(); refused != 0)
        return os_refusal("io_uring_setup", refused);
    return std::unique_ptr<Io>(std::move(io));
}

UringIo::UringIo(int fd, uint32_t depth)
    : fd_(fd), depth_(depth), slots_(std::make_unique<Slot[]>(depth)) {}

// Room for every request and a cancel for each; the completion ring is twice that.
int UringIo::set_up() {
    int refused = 0;
    for (const unsigned flags : setup_flags) {
        io_uring_params params{};
        params.flags = flags;
        refused = -io_uring_queue_init_params(2 * depth_, &ring_, &params);
        if (refused != EINVAL) break;
    }
    ready_ = refused == 0;
    return refused;
}

UringIo::~UringIo() {
    if (!ready_) return;
    while (in_flight_ > 0) {
        const int entered = io_uring_submit_and_wait(&ring_, 1);
        CIUIC_CHECK(entered >= 0 || entered == -EINTR || entered == -EAGAIN || entered == -EBUSY);
        IoResult result;
        while (next_result(result)) {
        }
    }
    io_uring_queue_exit(&ring_);
}

void UringIo::enable() {
    if (enabled_) return;
    // liburing 2.3 declares io_uring_enable_rings() but its shared library lacks it.
    CIUIC_CHECK(io_uring_register(ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) == 0);
    enabled_ = true;
}

Status UringIo::submit(const IoRequest& request) {
    enable();
    if (in_flight_ == depth_) return Error{Errc::busy, 0, "I/O depth is used up"};
    Slot* const end = slots_.get() + depth_;
    Slot* const slot = std::find_if(slots_.get(), end, [](const Slot& s) { return s.key == 0; });
    CIUIC_CHECK(slot != end);
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    CIUIC_CHECK(entry != nullptr);

    if (request.op == IoOp::read)
        io_uring_prep_read(entry, fd_, request.data, request.length_bytes, request.offset_bytes);
    else
        io_uring_prep_write(entry, fd_, request.data, request.length_bytes, request.offset_bytes);
    const auto index = static_cast<uint64_t>(slot - slots_.get());
    *slot = {request.token, ++sequence_ << slot_bits | index};
    io_uring_sqe_set_data64(entry, slot->key);
    ++in_flight_;
    return {};
}

void UringIo::flush() {
    enable();
    for (int attempt = 0; attempt < submit_attempts_max && io_uring_sq_ready(&ring_) > 0;
         ++attempt) {
        const int taken = io_uring_submit(&ring_);
        CIUIC_CHECK(taken >= 0 || taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
    }
}

void UringIo::cancel(uint64_t token) {
    enable();
    Slot* const end = slots_.get() + depth_;
    Slot* const slot = std::find_if(
        slots_.get(), end, [token](const Slot& s) { return s.key != 0 && s.token == token; });
    if (slot == end || cancels_ == depth_) return;
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    CIUIC_CHECK(entry != nullptr);
    io_uring_prep_cancel64(entry, slot->key, 0);
    io_uring_sqe_set_data64(entry, cancel_key);
    ++cancels_;
    flush();
}

size_t UringIo::drain(std::span<IoResult> results) {
    enable();
    if (io_uring_sq_ready(&ring_) > 0) flush();
    size_t count = 0;
    while (count < results.size() && next_result(results[count])) ++count;
    return count;
}

// The next request's completion, if one waits; those of cancels are passed over. Enters the kernel
// only when its flag says that completions wait to be run.
io_uring_cqe* UringIo::peek() {
    for (;;) {
        io_uring_cqe* completion = nullptr;
        if (const int refused = io_uring_peek_cqe(&ring_, &completion); refused != 0) {
            CIUIC_CHECK(refused == -EAGAIN || refused == -EINTR);
            return nullptr;
        }
        if (completion->user_data != cancel_key) return completion;
        io_uring_cqe_seen(&ring_, completion);
        --cancels_;
    }
}

bool UringIo::next_result(IoResult& result) {
    io_uring_cqe* const completion = peek();
    if (!completion) return false;
    Slot& slot = slots_[completion->user_data & ((1u << slot_bits) - 1)];
    CIUIC_CHECK(slot.key == completion->user_data);
    result = {slot.token, completion->res};
    io_uring_cqe_seen(&ring_, completion);
    slot = {};
    --in_flight_;
    return true;
}

}  // namespace ciuic
