// SPDX-License-Identifier: Apache-2.0
#include "daemon/session.hpp"

#include "protocol/statistics.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace ciuic {
namespace {

constexpr Nanos at_once{0};

// The engine's kinds of request are the wire's.
static_assert(static_cast<uint32_t>(wire::RequestKind::promise) ==
              static_cast<uint32_t>(RequestKind::promise));
static_assert(static_cast<uint32_t>(wire::RequestKind::acquire) ==
              static_cast<uint32_t>(RequestKind::acquire));
static_assert(static_cast<uint32_t>(wire::RequestKind::prefetch) ==
              static_cast<uint32_t>(RequestKind::prefetch));
static_assert(static_cast<uint32_t>(wire::RequestKind::evict) ==
              static_cast<uint32_t>(RequestKind::evict));
static_assert(static_cast<uint32_t>(wire::RequestKind::clear) ==
              static_cast<uint32_t>(RequestKind::clear));
static_assert(static_cast<uint32_t>(wire::RequestKind::discard) ==
              static_cast<uint32_t>(RequestKind::discard));

constexpr uint64_t ticket_of(const wire::Request& request) {
    return uint64_t{request.slot} << 32 | request.sequence;
}

Result<Mapping> map_records(int file, uint64_t size_bytes) {
    if (::ftruncate(file, static_cast<off_t>(size_bytes)) != 0)
        return os_refusal("ftruncate of the chunk records", errno);
    CIUIC_TRY(Mapping records, Mapping::create(size_bytes, PROT_READ | PROT_WRITE,
                                               MAP_SHARED | MAP_NORESERVE, file));
    // The engine reads records while programs wait. Best effort: the limit may be low.
    (void)::mlock2(records.data(), size_bytes, MLOCK_ONFAULT);
    return records;
}

}  // namespace

void ClientCounts::add(const ClientCounts& other) {
    large_requests += other.large_requests;
    large_served += other.large_served;
    large_fell_through += other.large_fell_through;
    large_refused += other.large_refused;
    large_freed += other.large_freed;
    large_bytes += other.large_bytes;
    large_bytes_served += other.large_bytes_served;
    large_bytes_fell_through += other.large_bytes_fell_through;
    large_bytes_refused += other.large_bytes_refused;
}

ClientSession::ClientSession(UniqueFd socket, Peer peer, Realm realm, Nanos handshake_deadline)
    : handshake_deadline_(handshake_deadline), pid_(peer.pid), realm_(std::move(realm)),
      socket_(std::move(socket)), pidfd_(std::move(peer.pidfd)) {}

void ClientSession::refuse(int socket, Errc why) {
    const wire::Welcome welcome{.status = static_cast<uint32_t>(why),
                                .daemon_pid = static_cast<uint32_t>(::getpid())};
    (void)send_message(socket, welcome, {}, at_once);
}

Status ClientSession::advance_handshake(const SessionHost& host) {
    return state_ == State::greeting ? greet(host) : start(host);
}

Status ClientSession::greet(const SessionHost& host) {
    wire::Hello hello;
    ReceivedFds fds;
    Status status = receive_message(socket_.get(), hello, fds, at_once);
    if (status.error().code == Errc::busy) return {};
    if (status) status = check_hello(hello, fds.count);
    if (!status) {
        if (status.error().code != Errc::disconnected) refuse(socket_.get(), status.error().code);
        return status;
    }
    name_ = printable_name(hello.name).data();
    const uint32_t wanted = hello.address_chunks;
    const uint32_t chunks =
        wanted == 0 || wanted > host.address_chunks ? host.address_chunks : wanted;
    status = prepare(host, chunks);
    if (!status) refuse(socket_.get(), status.error().code);
    return status;
}

Status ClientSession::prepare(const SessionHost& host, uint32_t chunks) {
    const SegmentShape shape{.chunks = chunks, .chunk_bytes = host.chunk_bytes};
    chunks_ = chunks;
    CIUIC_TRY(engine_segment_, EngineSegment::create(shape));
    CIUIC_TRY(client_segment_, ClientSegment::create(shape));
    for (const auto bytes : {engine_segment_.bytes(), client_segment_.bytes()})
        (void)::mlock2(bytes.data(), bytes.size(), MLOCK_ONFAULT);
    doorbell_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!doorbell_) return os_refusal("eventfd", errno);
    records_file_ = UniqueFd(::memfd_create("ciuic-records", MFD_CLOEXEC));
    if (!records_file_) return os_refusal("memfd_create", errno);
    CIUIC_TRY(records_, map_records(records_file_.get(), chunks * sizeof(ChunkRecord)));
    SessionOptions options;
    options.records = {reinterpret_cast<ChunkRecord*>(records_.data()), chunks};
    options.words = {engine_segment_.states(), client_segment_.pins()};
    share_ = share_of(host.shares, host.share, realm_);
    options.realm = realm_.id;
    options.chunks_max = static_cast<uint32_t>(
        std::min<uint64_t>(share_.max_promise_bytes / host.chunk_bytes, UINT32_MAX));
    options.frames_max = share_.max_frames;
    options.frames_guaranteed = static_cast<uint32_t>(
        std::min<uint64_t>(share_.guarantee_bytes / host.chunk_bytes, limits::frames_max));
    options.weight = share_.weight;
    CIUIC_TRY(index_, host.engine.open_session(options));
    CIUIC_TRY(const int space_fd, host.spaces.make_space(*index_, chunks));
    engine_segment_.page().sleeping.store(1, std::memory_order_relaxed);
    CIUIC_TRY_STATUS(send_welcome(host, space_fd));
    reader_.emplace(client_segment_);
    state_ = State::preparing;
    return {};
}

Status ClientSession::send_welcome(const SessionHost& host, int space_fd) {
    wire::Welcome welcome;
    welcome.address_chunks = chunks_;
    welcome.chunk_bytes = host.chunk_bytes;
    welcome.incarnation = host.incarnation;
    welcome.daemon_pid = static_cast<uint32_t>(::getpid());
    welcome.session = index_->value;
    std::array<int, wire::welcome_fds_max> fds{space_fd, engine_segment_.fd(), client_segment_.fd(),
                                               doorbell_.get(), host.userfaultfd};
    size_t count = wire::welcome_fds_min;
    if (host.userfaultfd >= 0) {
        welcome.header.flags = wire::Welcome::flag_userfaultfd;
        count = wire::welcome_fds_max;
    }
    return send_message(socket_.get(), welcome, std::span(fds).first(count), at_once);
}

Status ClientSession::start(const SessionHost& host) {
    wire::Ready ready;
    ReceivedFds fds;
    const Status received = receive_message(socket_.get(), ready, fds, at_once);
    if (received.error().code == Errc::busy) return {};
    if (!received) return received;
    Status status = check_ready(ready, fds.count);
    if (status) status = host.spaces.attach(*index_, std::move(fds.fds[0]), ready.base_address);
    const wire::Started started{.status = static_cast<uint32_t>(status.error().code)};
    const Status sent = send_message(socket_.get(), started, {}, at_once);
    if (!status) return status;
    if (!sent) return sent;
    state_ = State::running;
    return {};
}

Result<bool> ClientSession::take_requests(Engine& engine, uint32_t promise_room,
                                          uint32_t requests_max) {
    for (uint32_t count = 0; count < requests_max; ++count) {
        // What comes behind a promise may rest on it.
        if (engine.is_promising(*index_)) return true;
        wire::Request request;
        CIUIC_TRY(const uint32_t taken, reader_->pop({&request, 1}));
        if (taken == 0) return false;
        if (!start_request(engine, request, promise_room))
            return Error{Errc::invalid, 0, "a request of no known kind, or without a reply slot"};
    }
    return true;
}

// False: there is no way to answer it.
bool ClientSession::start_request(Engine& engine, const wire::Request& request,
                                  uint32_t& promise_room) {
    const auto kind = static_cast<uint32_t>(request.kind);
    if (kind >= wire::request_kinds || request.slot >= wire::reply_slots) return false;
    const uint64_t ticket = ticket_of(request);
    if (uint64_t{request.first_chunk} + request.chunks > chunks_) {
        reply(ticket, Errc::range);
        return true;
    }
    const ChunkRange range{ChunkIndex{request.first_chunk}, request.chunks};
    const auto request_kind = static_cast<RequestKind>(request.kind);
    const bool promises = request.kind == wire::RequestKind::promise;
    if (promises && range.count > promise_room) {
        reply(ticket, Errc::no_memory);
        return true;
    }
    const Status started = engine.request(*index_, request_kind, range, ticket);
    if (!started)
        reply(ticket, started.error().code);
    else if (promises)
        promise_room -= range.count;
    return true;
}

void ClientSession::reply(uint64_t ticket, Errc result) {
    if (state_ != State::running) return;
    wire::ReplySlot& slot = engine_segment_.page().replies[ticket >> 32];
    slot.result.store(static_cast<uint32_t>(result), std::memory_order_relaxed);
    slot.sequence.store(static_cast<uint32_t>(ticket), std::memory_order_release);
    ::syscall(SYS_futex, &slot.sequence, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool ClientSession::is_client_there() const {
    std::array<pollfd, 2> ends{{{pidfd_.get(), POLLIN, 0}, {socket_.get(), POLLRDHUP, 0}}};
    return pidfd_ && socket_ && ::poll(ends.data(), ends.size(), 0) == 0;
}

void ClientSession::set_sleeping(bool sleeping) {
    engine_segment_.page().sleeping.store(sleeping ? 1 : 0, std::memory_order_seq_cst);
}

void ClientSession::publish(const SessionStats& stats) {
    stats_ = stats;
    put_statistics(engine_segment_.statistics(), stats);
}

ClientCounts ClientSession::counts() const {
    if (!client_segment_) return last_counts_;
    const wire::ClientCounters& counters = client_segment_.counters();
    return {.large_requests = counters.large_requests.fetch(),
            .large_served = counters.large_served.fetch(),
            .large_fell_through = counters.large_fell_through.fetch(),
            .large_refused = counters.large_refused.fetch(),
            .large_freed = counters.large_freed.fetch(),
            .large_bytes = counters.large_bytes.fetch(),
            .large_bytes_served = counters.large_bytes_served.fetch(),
            .large_bytes_fell_through = counters.large_bytes_fell_through.fetch(),
            .large_bytes_refused = counters.large_bytes_refused.fetch()};
}

SessionSummary ClientSession::summary() const {
    return {pid_, realm_, name_, state_ == State::gone, share_, stats_, counts()};
}

void ClientSession::end(Engine& engine) {
    if (has_ended()) return;
    socket_.reset();
    pidfd_.reset();
    doorbell_.reset();
    if (!index_) {
        state_ = State::gone;
        return;
    }
    state_ = State::closing;
    engine.close_session(*index_);
}

void ClientSession::closed() {
    last_counts_ = counts();
    reader_.reset();
    records_.reset();
    engine_segment_ = {};
    client_segment_ = {};
    state_ = State::gone;
}

}  // namespace ciuic
