// SPDX-License-Identifier: Apache-2.0
#include "client/inherited.hpp"

#include "base/service_thread.hpp"
#include "client/futex.hpp"
#include "limits.hpp"
#include "protocol/socket.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <utility>

namespace ciuic::inherited {

namespace {

struct Space {
    std::span<std::byte> range;
    SpaceReading reading;
    Parent parent;
    UniqueFd socket;  // of this process's own
    UniqueFd uffd;
    ServiceThread watcher;
    std::atomic<uint32_t> watched{0};
};

// Never destroyed: a thread waits in each for as long as the process lives.
alignas(Space) std::byte memory[limits::ancestors_max][sizeof(Space)];
size_t count = 0;

Space& space_at(size_t index) { return *std::launder(reinterpret_cast<Space*>(memory[index])); }

// Linux 5.9, CLOSE_RANGE_UNSHARE; older headers lack both.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
constexpr unsigned close_range_unshare = 1u << 1;

// From here on this thread has a table of descriptors of its own, with these two in it: a program
// that closes whatever it finds open does not take them away, and nothing of its stays open here.
void keep_only(int first, int second) {
    const auto low = static_cast<unsigned>(std::min(first, second));
    const auto high = static_cast<unsigned>(std::max(first, second));
    if (::syscall(SYS_close_range, high + 1, ~0u, close_range_unshare) != 0) return;
    if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0);
    if (low > 0) ::syscall(SYS_close_range, 0, low - 1, 0);
}

// Until the daemon says that there will be no answer any more.
void* watch(void* argument) {
    Space& space = *static_cast<Space*>(argument);
    const int socket = space.socket.get();
    const int uffd = space.uffd.get();
    keep_only(socket, uffd);
    space.watched.store(1);
    futex_wake_all(space.watched);
    pollfd entry{socket, POLLRDHUP, 0};
    while (::poll(&entry, 1, -1) < 0 || entry.revents == 0) {
    }
    space.reading.close(uffd, space.range);
    return nullptr;
}

Status start_watching(Space& space) {
    CIUIC_TRY(space.watcher, ServiceThread::start("ciuic-watch", watch, &space));
    while (space.watched.load() == 0) futex_wait(space.watched, 0, limits::handshake_deadline);
    return {};
}

Status tell_daemon(Space& space) {
    CIUIC_TRY(auto pair, socket_pair());
    wire::Attach attach;
    attach.base_address = reinterpret_cast<uintptr_t>(space.range.data());
    const int fds[wire::attach_fds] = {pair[1].get(), space.uffd.get()};
    CIUIC_TRY_STATUS(
        send_message(space.parent.socket.get(), attach, fds, limits::handshake_deadline));
    // Else a daemon that drops it would not be noticed.
    pair[1].reset();
    wire::Started started;
    ReceivedFds none;
    CIUIC_TRY_STATUS(receive_message(pair[0].get(), started, none, limits::handshake_deadline));
    if (started.status != 0)
        return Error{Errc::invalid, 0, "the daemon does not page this process"};
    space.socket = std::move(pair[0]);
    return {};
}

// The daemon answers for the space before it can be touched.
Status attach(Space& space) {
    CIUIC_TRY(space.uffd, space.reading.map(space.parent.memory_file.get(), space.range,
                                            space.parent.userfaultfd.get()));
    CIUIC_TRY_STATUS(tell_daemon(space));
    if (::mprotect(space.range.data(), space.range.size(), PROT_READ) != 0)
        return os_refusal("mprotect", errno);
    return start_watching(space);
}

void reserve(std::span<std::byte> range, int replace) {
    (void)::mmap(range.data(), range.size(), PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | replace, -1, 0);
}

}  // namespace

void add(Parent parent, std::span<std::byte> range, const SpaceReading& reading) {
    if (count == limits::ancestors_max || !reading.map) return;
    auto* space = new (memory[count]) Space{};
    space->range = range;
    space->reading = reading;
    space->parent = std::move(parent);
    const Status attached = attach(*space);
    if (attached) {
        space->parent.socket.reset();
        space->uffd.reset();  // the watcher has one
        ++count;
        return;
    }
    // Out of reach first: then it may be registered with nobody.
    reserve(range, MAP_FIXED);
    space->parent = {};
    space->socket.reset();
    space->uffd.reset();
}

void renew_in_child() {
    const size_t before = count;
    count = 0;
    for (size_t index = 0; index < before; ++index) {
        Space& space = space_at(index);
        const std::span<std::byte> range = space.range;
        const SpaceReading reading = space.reading;
        Parent parent = std::move(space.parent);
        parent.socket = std::move(space.socket);
        // It was not for this process; and the thread that watched is not here.
        reserve(range, MAP_FIXED_NOREPLACE);
        add(std::move(parent), range, reading);
    }
}

}  // namespace ciuic::inherited
