// SPDX-License-Identifier: Apache-2.0
#include "client/remote.hpp"

#include "base/check.hpp"
#include "ciuic/vmm.h"
#include "client/futex.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ciuic {

Result<Greeting> Remote::greet(UniqueFd socket, const char* name, uint32_t address_chunks) {
    wire::Hello hello;
    hello.address_chunks = address_chunks;
    std::memcpy(hello.name.data(), name, std::min(std::strlen(name), hello.name.size() - 1));
    const Status sent = send_message(socket.get(), hello, {}, limits::handshake_deadline);
    if (!sent.has_value()) return sent.error();
    Greeting greeting;
    greeting.socket = std::move(socket);
    CIUIC_TRY_STATUS(receive_message(greeting.socket.get(), greeting.welcome, greeting.fds,
                                     limits::handshake_deadline));
    CIUIC_TRY_STATUS(check_welcome(greeting.welcome, greeting.fds.count));
    return Result<Greeting>(std::move(greeting));
}

Result<std::unique_ptr<Connection>> Remote::create(Greeting greeting, RemoteSpace space) {
    const SegmentShape shape{greeting.welcome.address_chunks, greeting.welcome.chunk_bytes};
    CIUIC_TRY(EngineSegment engine,
              EngineSegment::map(greeting.fd(wire::WelcomeFd::engine_segment), shape));
    CIUIC_TRY(ClientSegment client,
              ClientSegment::map(greeting.fd(wire::WelcomeFd::client_segment), shape));
    std::unique_ptr<Remote> remote(new Remote(std::move(greeting), std::move(space)));
    remote->engine_segment_ = std::move(engine);
    remote->client_segment_ = std::move(client);
    CIUIC_TRY_STATUS(remote->start());
    return std::unique_ptr<Connection>(std::move(remote));
}

Remote::Remote(Greeting greeting, RemoteSpace space)
    : space_(std::move(space)), socket_(std::move(greeting.socket)),
      doorbell_(greeting.take(wire::WelcomeFd::doorbell)),
      memory_file_(greeting.take(wire::WelcomeFd::memory)),
      userfaultfd_device_(greeting.take(wire::WelcomeFd::userfaultfd)) {
    facts_.mode = CIUIC_MODE_DAEMON;
    facts_.space = space_.memory.bytes();
    facts_.chunk_bytes = greeting.welcome.chunk_bytes;
    facts_.chunks = greeting.welcome.address_chunks;
    facts_.doorbell = doorbell_.get();
}

Status Remote::start() {
    wire::Ready ready;
    ready.base_address = reinterpret_cast<uintptr_t>(space_.memory.data());
    const int uffd = space_.uffd.get();
    CIUIC_TRY_STATUS(
        send_message(socket_.get(), ready, std::span(&uffd, 1), limits::handshake_deadline));
    wire::Started started;
    ReceivedFds none;
    CIUIC_TRY_STATUS(receive_message(socket_.get(), started, none, limits::handshake_deadline));
    CIUIC_TRY_STATUS(check_started(started, none.count));
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_) return os_refusal("eventfd", errno);
    CIUIC_TRY(watcher_, ServiceThread::start("ciuic-watch", watch, this));
    return {};
}

// A forked child may hold a copy of the socket: shutdown, not close, tells the daemon.
Remote::~Remote() {
    if (stop_) {
        const uint64_t one = 1;
        CIUIC_CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
    }
    watcher_.join();
    ::shutdown(socket_.get(), SHUT_RDWR);
}

void Remote::leave_to_parent() {
    for (const int fd : {doorbell_.get(), stop_.get(), space_.uffd.get()}) ::close(fd);
    inherited::add({std::move(socket_), std::move(memory_file_), std::move(userfaultfd_device_)},
                   space_.memory.bytes(), space_.reading);
}

void* Remote::watch(void* self) {
    auto& remote = *static_cast<Remote*>(self);
    for (;;) {
        pollfd entries[] = {{remote.stop_.get(), POLLIN, 0}, {remote.socket_.get(), POLLRDHUP, 0}};
        if (::poll(entries, 2, -1) < 0) continue;
        if (entries[0].revents != 0) return nullptr;
        if (entries[1].revents != 0) break;
    }
    remote.on_daemon_gone();
    return nullptr;
}

// The line comes first, since the rest may end the process; but only where it cannot wait for a
// reader, who might be waiting for us.
void Remote::on_daemon_gone() {
    constexpr char text[] = "ciuic: the daemon is gone; memory that was not resident is lost and "
                            "raises SIGBUS when touched\n";
    pollfd entry{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT) {
        [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, sizeof text - 1);
    }
    alive_.store(false, std::memory_order_release);
    const EngineSegment& engine = engine_segment_;
    for (const wire::ReplySlot& reply : engine.page().replies) futex_wake_all(reply.sequence);
    space_.lose(space_, facts_.chunk_bytes, engine.states());
}

}  // namespace ciuic
