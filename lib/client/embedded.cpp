// SPDX-License-Identifier: Apache-2.0
#include "client/embedded.hpp"

#include "base/check.hpp"
#include "ciuic/vmm.h"
#include "client/futex.hpp"
#include "protocol/statistics.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ciuic {

namespace {

constexpr uint32_t requests_per_turn = 16;

// The engine's kinds of request are the wire's.
static_assert(static_cast<uint32_t>(wire::RequestKind::promise) ==
              static_cast<uint32_t>(RequestKind::promise));
static_assert(static_cast<uint32_t>(wire::RequestKind::discard) ==
              static_cast<uint32_t>(RequestKind::discard));

}  // namespace

Result<std::unique_ptr<Connection>> Embedded::create(EmbeddedParts parts) {
    std::unique_ptr<Embedded> embedded(new Embedded(std::move(parts)));
    CIUIC_TRY_STATUS(embedded->prepare());
    CIUIC_TRY(embedded->thread_, ServiceThread::start("ciuic-engine", run, embedded.get()));
    return std::unique_ptr<Connection>(std::move(embedded));
}

Embedded::Embedded(EmbeddedParts parts) : parts_(std::move(parts)) {
    const DeviceTraits& traits = parts_.device->traits();
    facts_.mode = CIUIC_MODE_EMBEDDED;
    facts_.space = parts_.space.bytes();
    facts_.chunk_bytes = traits.chunk_bytes;
    facts_.chunks = static_cast<uint32_t>(facts_.space.size() / traits.chunk_bytes);
    facts_.frames_max = traits.frames;
    if (const Pieces* pieces = parts_.device->pieces()) {
        facts_.pieces = pieces->count();
        facts_.piece_bytes = pieces->piece_bytes();
    }
}

Status Embedded::prepare() {
    doorbell_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    events_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!doorbell_ || !events_) return os_refusal("eventfd or epoll_create1", errno);
    facts_.doorbell = doorbell_.get();
    // A doorbell is never read: each ring is an edge.
    CIUIC_TRY_STATUS(watch(doorbell_.get(), EPOLLIN | EPOLLET));
    CIUIC_TRY_STATUS(watch(parts_.device_event_fd, EPOLLIN));
    CIUIC_TRY_STATUS(watch(parts_.io->event_fd(), EPOLLIN));
    CIUIC_TRY_STATUS(watch(parts_.workers->event_fd(), EPOLLIN));
    store_.emplace(*parts_.io, clock_, parts_.store);
    engine_.emplace(EnginePorts{*parts_.device, *store_, *parts_.workers, clock_, *this},
                    EngineOptions{.sessions_max = 1});
    return open_session();
}

Status Embedded::open_session() {
    const SegmentShape shape{facts_.chunks, facts_.chunk_bytes};
    CIUIC_TRY(engine_segment_, EngineSegment::create(shape));
    CIUIC_TRY(client_segment_, ClientSegment::create(shape));
    requests_.emplace(client_segment_);
    CIUIC_TRY(records_, Mapping::create(facts_.chunks * sizeof(ChunkRecord), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
    SessionOptions options;
    options.records = {reinterpret_cast<ChunkRecord*>(records_.data()), facts_.chunks};
    options.words = {engine_segment_.states(), client_segment_.pins()};
    options.realm = ::getuid();
    if (parts_.declares_uses) {
        CIUIC_TRY(log_memory_, Mapping::create(sizeof(AccessLog), PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS));
        facts_.declared_uses = new (log_memory_.data()) AccessLog;
        options.declared_uses = facts_.declared_uses;
    }
    CIUIC_TRY(session_, engine_->open_session(options));
    return {};
}

Status Embedded::watch(int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return os_refusal("epoll_ctl", errno);
    return {};
}

// The engine ends the session before its thread ends, so no transfer is under way when its parts
// go.
Embedded::~Embedded() {
    stopping_.store(true);
    if (doorbell_) {
        const uint64_t one = 1;
        CIUIC_CHECK(::write(doorbell_.get(), &one, sizeof one) == sizeof one);
    }
    thread_.join();
}

void Embedded::leave_to_parent() {
    for (const int fd : parts_.device_fds) ::close(fd);
    for (const int fd : {parts_.io->event_fd(), parts_.file.io.get(), parts_.file.anchor.get(),
                         parts_.file.claim.get(), parts_.workers->event_fd(), doorbell_.get(),
                         events_.get(), engine_segment_.fd(), client_segment_.fd()})
        ::close(fd);
}

void* Embedded::run(void* self) {
    auto& embedded = *static_cast<Embedded*>(self);
    bool closing = false;
    while (!embedded.closed_) {
        if (!closing && embedded.stopping_.load()) {
            closing = true;
            embedded.engine_->close_session(embedded.session_);
        }
        if (embedded.has_declared())
            embedded.declared_seen_ = embedded.facts_.declared_uses->written.load();
        bool more = embedded.take_requests();
        more |= embedded.engine_->tick();
        if (embedded.closed_) break;
        embedded.publish();
        if (more) continue;
        const Nanos began = embedded.clock_.now();
        if (!embedded.poll()) embedded.sleep();
        embedded.poll_.came_after(embedded.clock_.now() - began);
    }
    return nullptr;
}

bool Embedded::take_requests() {
    std::array<wire::Request, requests_per_turn> requests;
    const auto taken = requests_->pop(requests);
    CIUIC_CHECK(taken.has_value());
    for (const wire::Request& request : std::span(requests).first(*taken)) start(request);
    return *taken > 0;
}

void Embedded::start(const wire::Request& request) {
    const uint64_t ticket = uint64_t{request.slot} << 32 | request.sequence;
    const ChunkRange range{ChunkIndex{request.first_chunk}, request.chunks};
    // Nobody else waits meanwhile.
    if (request.kind == wire::RequestKind::promise) {
        reply(ticket, engine_->promise(session_, range).error().code);
        return;
    }
    const auto kind = static_cast<RequestKind>(request.kind);
    const Status started = engine_->request(session_, kind, range, ticket);
    if (!started.has_value()) reply(ticket, started.error().code);
}

void Embedded::reply(uint64_t ticket, Errc result) {
    // Whoever gets the answer finds it in the statistics.
    publish();
    wire::ReplySlot& slot = engine_segment_.page().replies[ticket >> 32];
    slot.result.store(static_cast<uint32_t>(result), std::memory_order_relaxed);
    slot.sequence.store(static_cast<uint32_t>(ticket), std::memory_order_release);
    futex_wake_all(slot.sequence);
}

// The program has used something since the last turn.
bool Embedded::has_declared() const {
    const AccessLog* log = facts_.declared_uses;
    return log && log->written.load(std::memory_order_relaxed) != declared_seen_;
}

// True: there is something to do, and nobody had to wake this thread.
bool Embedded::poll() {
    const Nanos began = clock_.now();
    epoll_event event;
    while (clock_.now() - began < poll_.window())
        if (!requests_->is_empty() || stopping_.load() || has_declared() ||
            ::epoll_wait(events_.get(), &event, 1, 0) != 0)
            return true;
    return false;
}

// As protocol/request_ring.hpp says: announced, then looked once more.
void Embedded::sleep() {
    std::atomic<uint32_t>& sleeping = engine_segment_.page().sleeping;
    sleeping.store(1, std::memory_order_seq_cst);
    if (requests_->is_empty() && !stopping_.load()) {
        const Nanos wait = engine_->wait_max();
        const timespec timeout{wait.value / 1'000'000'000, wait.value % 1'000'000'000};
        epoll_event event;
        ::epoll_pwait2(events_.get(), &event, 1, &timeout, nullptr);
    }
    sleeping.store(0, std::memory_order_relaxed);
}

void Embedded::completed(SessionIndex, uint64_t ticket, Errc result) { reply(ticket, result); }

void Embedded::closed(SessionIndex) { closed_ = true; }

// There is nobody to tell but the program itself, whose thread would wait for ever.
void Embedded::unanswerable(SessionIndex) {
    CIUIC_CHECK(!"the kernel has no memory left to say that a chunk is lost");
}

void Embedded::publish() {
    static_assert(sizeof(wire::Statistics::bytes_in_by_cause) == causes * sizeof(uint64_t));
    put_statistics(engine_segment_.statistics(), engine_->stats(session_));
}

}  // namespace ciuic
