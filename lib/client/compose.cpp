// SPDX-License-Identifier: Apache-2.0
#include "client/compose.hpp"

#include "base/check.hpp"
#include "client/embedded.hpp"
#include "client/remote.hpp"
#include "device/host/client_side.hpp"
#include "device/host/embedded.hpp"
#include "device/host/embedded_file.hpp"
#include "device/host/userfault.hpp"
#include "io/open.hpp"
#include "residency/chunk_state.hpp"
#include "staging/numa.hpp"

#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace ciuic {

namespace {

constexpr const char* default_store_path = "/var/tmp";
constexpr uint64_t address_bytes_min = 16 * GiB;
constexpr uint64_t space_alignment_bytes = 2 * MiB;
// One hashes or zeroes at 20 GB/s, several times the rate of a disk; the other is there so that a
// fault need not wait behind an eviction.
constexpr uint32_t worker_threads = 2;

struct Sizes {
    uint64_t chunk_bytes = 0;
    uint64_t block_bytes = 0;
    uint64_t budget_bytes = 0;
    uint64_t pieces_bytes = 0;  // of the budget, for single blocks
    uint64_t store_bytes = 0;
    uint64_t address_bytes = 0;
};

uint64_t physical_bytes() {
    return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Result<Sizes> choose_sizes(const ciuic_options& options) {
    Sizes sizes;
    const uint64_t chunk = options.chunk_bytes ? options.chunk_bytes : limits::chunk_bytes_default;
    if (!is_power_of_two(chunk) || chunk < limits::chunk_bytes_min ||
        chunk > limits::chunk_bytes_max)
        return Error{Errc::invalid, 0, "chunk_bytes is not a power of two from 64 KiB to 64 MiB"};
    sizes.chunk_bytes = chunk;
    sizes.block_bytes = std::min(chunk, limits::block_bytes_max);
    const uint64_t space_max = limits::session_chunks_max * chunk;
    const uint64_t ram = physical_bytes();
    sizes.budget_bytes =
        options.budget_bytes ? options.budget_bytes : std::max(ram / 8, limits::frames_min * chunk);
    sizes.budget_bytes &= ~(chunk - 1);
    if (sizes.budget_bytes < limits::frames_min * chunk)
        return Error{Errc::invalid, 0, "budget_bytes is less than 8 chunks"};
    if (sizes.budget_bytes > ram)
        return Error{Errc::no_memory, 0,
                     "the budget is larger than this machine's memory; lower budget_bytes"};
    // Small budgets and small chunks have no pieces: whole chunks serve them better. What is
    // declared is whole chunks.
    sizes.pieces_bytes =
        std::min(sizes.budget_bytes / limits::pieces_budget_divisor, limits::pieces_bytes_max) &
        ~(chunk - 1);
    if ((options.flags & CIUIC_DECLARES_USES) ||
        sizes.pieces_bytes < limits::pieces_min * sizes.block_bytes ||
        chunk < limits::pieces_per_chunk_max * sizes.block_bytes)
        sizes.pieces_bytes = 0;
    sizes.store_bytes = options.store_bytes ? options.store_bytes : 4 * sizes.budget_bytes;
    if (sizes.store_bytes > std::min(limits::store_bytes_max, space_max))
        return Error{Errc::invalid, 0, "store_bytes is more than one session can address"};
    sizes.store_bytes = round_up(sizes.store_bytes, chunk);
    sizes.address_bytes =
        options.address_bytes
            ? options.address_bytes
            : std::min(std::max(4 * sizes.store_bytes, address_bytes_min), space_max);
    if (sizes.address_bytes > space_max)
        return Error{Errc::invalid, 0, "address_bytes is more than one session can address"};
    sizes.address_bytes = round_up(sizes.address_bytes, chunk);
    return sizes;
}

Result<Mapping> reserve_space(const Sizes& sizes) {
    return Mapping::create_aligned(sizes.address_bytes, space_alignment_bytes,
                                   PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

Result<Arena> make_frames(const Sizes& sizes) {
    const auto topology = machine_topology();
    return create_arena(*topology, {.size_bytes = sizes.budget_bytes,
                                    .alignment_bytes = space_alignment_bytes,
                                    .node = topology->current_node()});
}

Status open_lending_device(const Sizes& sizes, const HostFeatures& features, EmbeddedParts& parts) {
    CIUIC_TRY(parts.arena, make_frames(sizes));
    const std::span<std::byte> memory = parts.arena.memory.bytes();
    const uint64_t frames_bytes = sizes.budget_bytes - sizes.pieces_bytes;
    CIUIC_TRY(auto device, EmbeddedHostDevice::create({.arena = memory.first(frames_bytes),
                                                       .space = parts.space.bytes(),
                                                       .chunk_bytes = sizes.chunk_bytes,
                                                       .pieces = memory.subspan(frames_bytes),
                                                       .piece_bytes = sizes.block_bytes,
                                                       .features = features}));
    parts.device_event_fd = device->event_fd();
    parts.device_fds = {device->event_fd()};
    parts.device = std::move(device);
    return {};
}

Status open_file_device(const Sizes& sizes, const HostFeatures& features, EmbeddedParts& parts) {
    const auto frames = static_cast<uint32_t>(sizes.budget_bytes / sizes.chunk_bytes);
    CIUIC_TRY(auto device, EmbeddedFileDevice::create({.space = parts.space.bytes(),
                                                       .frames = frames,
                                                       .chunk_bytes = sizes.chunk_bytes,
                                                       .block_bytes = sizes.block_bytes,
                                                       .features = features}));
    parts.device_event_fd = device->event_fd();
    const auto fds = device->fds();
    parts.device_fds.assign(fds.begin(), fds.end());
    parts.device = std::move(device);
    return {};
}

Result<std::unique_ptr<Connection>> open_embedded(const ciuic_options& options) {
    CIUIC_TRY(const Sizes sizes, choose_sizes(options));
    MonotonicClock clock;
    EmbeddedParts parts;
    parts.declares_uses = options.flags & CIUIC_DECLARES_USES;
    CIUIC_TRY(parts.space, reserve_space(sizes));
    CIUIC_TRY(parts.file,
              open_swap_file({.path = options.store_path ? options.store_path : default_store_path,
                              .size_bytes = sizes.store_bytes,
                              .fence_deadline = limits::fence_deadline},
                             clock));
    const HostFeatures features = probe_host_features();
    CIUIC_TRY_STATUS(EmbeddedHostDevice::can_lend(features)
                         ? open_lending_device(sizes, features, parts)
                         : open_file_device(sizes, features, parts));
    CIUIC_TRY(parts.io, open_io(parts.file.io.get(), limits::io_depth_max, IoKind::automatic));
    CIUIC_TRY(parts.workers, WorkerPool::create(worker_threads));
    parts.store = {.capacity_bytes = sizes.store_bytes,
                   .chunk_bytes = sizes.chunk_bytes,
                   .block_bytes = sizes.block_bytes};
    return Embedded::create(std::move(parts));
}

// hugetlbfs counts in its huge pages, every other kind of memory file in those of the machine.
Result<uint64_t> page_bytes_of(int file) {
    struct statfs status {};
    if (::fstatfs(file, &status) != 0) return os_refusal("fstatfs", errno);
    return static_cast<uint64_t>(status.f_bsize);
}

// Whoever waits in the range, and whoever comes later, gets a signal.
void close_range(int uffd, std::span<std::byte> range) {
    CIUIC_CHECK(::mprotect(range.data(), range.size(), PROT_NONE) == 0);
    (void)userfault::wake(uffd, reinterpret_cast<uint64_t>(range.data()), range.size());
}

// Allocated chunks keep the pages that are mapped here, writable from now on: the program may go on
// with them. Write protection goes first: a page that left while it was protected has left a mark
// that poison does not overwrite. Of the other chunks every access is an error anyway.
void lose_space(const RemoteSpace& space, uint64_t chunk_bytes,
                std::span<const std::atomic<uint32_t>> states) {
    const int uffd = space.uffd.get();
    const auto is_vacant = [&](size_t chunk) {
        return (states[chunk].load(std::memory_order_relaxed) & 0xff) ==
               static_cast<uint32_t>(ChunkState::vacant);
    };
    for (size_t first = 0; first < states.size();) {
        size_t end = first + 1;
        while (end < states.size() && is_vacant(end) == is_vacant(first)) ++end;
        const auto range =
            space.memory.bytes().subspan(first * chunk_bytes, (end - first) * chunk_bytes);
        const auto address = reinterpret_cast<uint64_t>(range.data());
        if (is_vacant(first) ||
            !userfault::write_protect(uffd, address, range.size(), false).has_value() ||
            !userfault::poison(uffd, address, range.size(), space.page_bytes).has_value())
            close_range(uffd, range);
        first = end;
    }
}

Result<std::unique_ptr<Connection>> open_remote(UniqueFd socket, const ciuic_options& options) {
    const uint64_t wanted_chunks = options.address_bytes / limits::chunk_bytes_default;
    if (wanted_chunks > limits::session_chunks_max)
        return Error{Errc::invalid, 0, "address_bytes is more than one session can address"};
    CIUIC_TRY(Greeting greeting,
              Remote::greet(std::move(socket),
                            options.name ? options.name : program_invocation_short_name,
                            static_cast<uint32_t>(wanted_chunks)));
    const int file = greeting.fd(wire::WelcomeFd::memory);
    RemoteSpace space;
    CIUIC_TRY(space.memory, map_space(file, greeting.space_bytes()));
    CIUIC_TRY(space.page_bytes, page_bytes_of(file));
    space.lose = lose_space;
    space.reading = {map_space_unread, close_range};
    CIUIC_TRY(space.uffd, open_userfault(greeting.fd(wire::WelcomeFd::userfaultfd)));
    CIUIC_TRY_STATUS(uffd_handshake(space.uffd.get(), shared_userfault_features()));
    CIUIC_TRY_STATUS(
        register_space(space.uffd.get(), space.memory.data(), greeting.space_bytes(), true));
    return Remote::create(std::move(greeting), std::move(space));
}

}  // namespace

Result<std::unique_ptr<Connection>> open_connection(const ciuic_options& options) {
    if (options.mode == CIUIC_MODE_EMBEDDED) return open_embedded(options);
    if (options.mode != CIUIC_MODE_AUTO && options.mode != CIUIC_MODE_DAEMON)
        return Error{Errc::invalid, 0, "there is no such mode"};
    const char* named = options.socket_path ? options.socket_path : ::secure_getenv("CIUIC_SOCKET");
    auto socket =
        connect_socket(named ? named : wire::default_socket_path, limits::handshake_deadline);
    if (socket.has_value()) return open_remote(*std::move(socket), options);
    const bool may_embed = options.mode == CIUIC_MODE_AUTO && !named;
    const Errc code = socket.error().code;
    if (may_embed && (code == Errc::disconnected || code == Errc::permission))
        return open_embedded(options);
    if (code == Errc::disconnected)
        return Error{code, socket.error().os_error,
                     "no daemon listens on the socket; start ciuic-swapd, or open with "
                     "CIUIC_MODE_EMBEDDED"};
    if (code == Errc::permission)
        return Error{code, socket.error().os_error,
                     "the daemon's socket is not open to this user; its socket_mode (0660 and a "
                     "group, or 0666) says to whom it is"};
    return socket.error();
}

}  // namespace ciuic
