// SPDX-License-Identifier: Apache-2.0
#include "device/host/shared.hpp"

#include "base/check.hpp"
#include "device/host/client_side.hpp"
#include "device/host/userfault.hpp"
#include "device/host/userfault_abi.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace ciuic {

namespace {

// Messages read from one client before the next one's turn.
constexpr size_t messages_per_turn = 16;

constexpr ChunkRef nobody{SessionIndex{none_index}, ChunkIndex{none_index}};

int allocate(int file, int mode, uint64_t offset_bytes, uint64_t length_bytes) {
    for (;;) {
        if (::fallocate(file, mode, static_cast<off_t>(offset_bytes),
                        static_cast<off_t>(length_bytes)) == 0)
            return 0;
        if (errno != EINTR) return errno;
    }
}

bool punch(int file, uint64_t offset_bytes, uint64_t length_bytes) {
    constexpr int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return allocate(file, mode, offset_bytes, length_bytes) == 0;
}

// Any other descriptor could block in ioctl() or read() for as long as its maker likes.
bool is_userfault(int fd) {
    char link[32];
    char target[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = ::readlink(link, target, sizeof target - 1);
    if (length <= 0) return false;
    target[length] = '\0';
    return std::strcmp(target, "anon_inode:[userfaultfd]") == 0;
}

Status make_nonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return os_refusal("fcntl(O_NONBLOCK)", errno);
    return {};
}

// Mapping a page of an empty file fails with EFAULT where the client has registered it, and
// otherwise where it has not. (On which of its descriptors it did so cannot be seen; if on
// another one, its own faults go unanswered.)
Status check_registered(int uffd, uint64_t address, uint64_t page_bytes) {
    uffdio_continue request{};
    request.range = {address, page_bytes};
    request.mode = UFFDIO_CONTINUE_MODE_WP | UFFDIO_CONTINUE_MODE_DONTWAKE;
    if (::ioctl(uffd, UFFDIO_CONTINUE, &request) == 0)
        return Error{Errc::invalid, 0, "the client registered memory that is not its space"};
    switch (errno) {
    case EFAULT: return {};
    case ESRCH: return Error{Errc::disconnected, ESRCH, "the client is gone"};
    case EINVAL:
        if (!probe_host_features().continue_wp)
            return Error{Errc::unsupported, EINVAL, "sharing frames needs Linux 6.4"};
        [[fallthrough]];
    default: return Error{Errc::invalid, errno, "the client did not register its space"};
    }
}

}  // namespace

Result<std::unique_ptr<SharedHostDevice>>
SharedHostDevice::create(const SharedHostOptions& options) {
    const auto base_page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    if (options.frames == 0 || options.sessions == 0)
        return Error{Errc::invalid, 0, "a shared host device needs frames and sessions"};
    if (!is_power_of_two(options.chunk_bytes) || !is_power_of_two(options.block_bytes) ||
        options.block_bytes < base_page_bytes || options.chunk_bytes < options.block_bytes)
        return Error{Errc::invalid, 0, "chunk and block sizes are powers of two, from one page on"};
    CIUIC_TRY(FrameFiles files,
              FrameFiles::create(options.kind, options.frames * options.chunk_bytes,
                                 options.chunk_bytes));
    UniqueFd events(::epoll_create1(EPOLL_CLOEXEC));
    if (!events) return os_refusal("epoll_create1", errno);
    CIUIC_TRY(std::unique_ptr<Undertaker> undertaker,
              Undertaker::create("ciuic-undertake", 1, options.sessions, settle));
    return std::unique_ptr<SharedHostDevice>(
        new SharedHostDevice(options, std::move(files), std::move(events), std::move(undertaker)));
}

SharedHostDevice::SharedHostDevice(const SharedHostOptions& options, FrameFiles files,
                                   UniqueFd events, std::unique_ptr<Undertaker> undertaker)
    : files_(std::move(files)), page_bytes_(files_.page_bytes()), events_(std::move(events)),
      spaces_(options.sessions), users_(options.frames, nobody), bus_hits_(GuardedRange::hits()),
      undertaker_(std::move(undertaker)) {
    traits_.name = "host-shared";
    traits_.frame_kind = files_.name();
    traits_.frames = options.frames;
    traits_.chunk_bytes = options.chunk_bytes;
    traits_.reveal_bytes = std::max(options.block_bytes, page_bytes_);
    traits_.sees_writes = true;
    traits_.opens_zeroed = true;
    traits_.program_reaches_frames = true;
}

SharedHostDevice::~SharedHostDevice() {
    std::array<Settled, 16> settled;
    while (estates_ > 0) {
        pollfd entry{undertaker_->event_fd(), POLLIN, 0};
        (void)::poll(&entry, 1, -1);
        estates_ -= static_cast<uint32_t>(undertaker_->drain(settled));
    }
}

SharedHostDevice::Settled SharedHostDevice::settle(const Estate& estate) {
    // The client may hold the file open, and may have put pages into it. In parts: what others
    // allocate meanwhile waits for one of them at most.
    // (No SEEK_DATA: to it, pages that are only allocated are a hole.)
    constexpr uint64_t part_bytes = 16 * MiB;
    for (uint64_t offset_bytes = 0; offset_bytes < estate.size_bytes; offset_bytes += part_bytes)
        (void)punch(estate.file, offset_bytes, part_bytes);
    ::munmap(estate.begin, estate.size_bytes);
    ::close(estate.file);
    return {};
}

SharedHostDevice::Space& SharedHostDevice::space_of(ChunkRef chunk) {
    CIUIC_CHECK(chunk.session.value < spaces_.size());
    Space& space = spaces_[chunk.session.value];
    CIUIC_CHECK(chunk.chunk.value < space.chunks);
    return space;
}

SharedHostDevice::Space& SharedHostDevice::space_of(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame.value < users_.size());
    CIUIC_CHECK(users_[frame.value] == chunk);
    return space_of(chunk);
}

uint64_t SharedHostDevice::client_address(const Space& space, ChunkRef chunk) const {
    return space.client_base + chunk.chunk.value * traits_.chunk_bytes;
}

std::span<std::byte> SharedHostDevice::bytes_of(const Space& space, ChunkRef chunk) const {
    return {space.mapping.data() + chunk.chunk.value * traits_.chunk_bytes, traits_.chunk_bytes};
}

Result<int> SharedHostDevice::make_space(SessionIndex session, uint32_t chunks) {
    CIUIC_CHECK(session.value < spaces_.size());
    Space& space = spaces_[session.value];
    CIUIC_CHECK(space.chunks == 0 && chunks > 0);
    const uint64_t size_bytes = chunks * traits_.chunk_bytes;
    CIUIC_TRY(UniqueFd file, files_.make_file(size_bytes));
    CIUIC_TRY(space.mapping, map_space(file.get(), size_bytes));
    CIUIC_TRY(space.guard, GuardedRange::watch(space.mapping.bytes(), traits_.chunk_bytes));
    space.file = std::move(file);
    space.chunks = chunks;
    return space.file.get();
}

Status SharedHostDevice::attach(SessionIndex session, UniqueFd uffd, uint64_t client_base_address) {
    CIUIC_CHECK(session.value < spaces_.size());
    Space& space = spaces_[session.value];
    CIUIC_CHECK(space.chunks > 0 && space.open_chunks == 0 && !space.uffd);
    const uint64_t size_bytes = space.mapping.size_bytes();
    if (!uffd || !is_userfault(uffd.get()))
        return Error{Errc::invalid, 0, "the client's descriptor is not a userfaultfd"};
    if (client_base_address % (2 * MiB) != 0 || client_base_address + size_bytes < size_bytes)
        return Error{Errc::invalid, 0, "the client's base address is not a multiple of 2 MiB"};
    CIUIC_TRY_STATUS(make_nonblocking(uffd.get()));
    const uint64_t last_page = client_base_address + size_bytes - page_bytes_;
    CIUIC_TRY_STATUS(check_registered(uffd.get(), client_base_address, page_bytes_));
    CIUIC_TRY_STATUS(check_registered(uffd.get(), last_page, page_bytes_));
    const Status cleared =
        userfault::write_protect(uffd.get(), client_base_address, size_bytes, false);
    if (!cleared.has_value())
        return Error{Errc::invalid, cleared.error().os_error,
                     "the client did not register its space for write protection"};
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.u32 = session.value;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, uffd.get(), &interest) != 0)
        return os_refusal("epoll_ctl", errno);
    space.uffd = std::move(uffd);
    space.client_base = client_base_address;
    return {};
}

Result<std::span<std::byte>> SharedHostDevice::open(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame.value < users_.size() && users_[frame.value] == nobody);
    Space& space = space_of(chunk);
    const std::span<std::byte> bytes = bytes_of(space, chunk);
    const uint64_t offset_bytes = chunk.chunk.value * traits_.chunk_bytes;
    // Before the allocation, which may grow the file.
    if (!check_size(space)) return Error{Errc::disconnected, 0, space.breach};
    // First the pages, then this process's view of them: neither a read from disk nor a touch
    // finds memory missing, so a lack of it is an error code here and no SIGBUS anywhere.
    int refused = allocate(space.file.get(), 0, offset_bytes, bytes.size());
    if (refused == 0 && ::madvise(bytes.data(), bytes.size(), MADV_POPULATE_WRITE) != 0)
        refused = errno;
    if (refused != 0) {
        give_back(space, offset_bytes, bytes.size());
        const bool memory = refused == ENOSPC || refused == ENOMEM || refused == EFAULT;
        if (memory) accuse_thieves();
        return Error{memory ? Errc::no_memory : Errc::io, refused, "allocating a frame"};
    }
    users_[frame.value] = chunk;
    ++space.open_chunks;
    return bytes;
}

Status SharedHostDevice::reveal(ChunkRef chunk, FrameIndex frame, uint64_t offset_bytes,
                                uint64_t length_bytes, bool writable) {
    Space& space = space_of(chunk, frame);
    CIUIC_CHECK(offset_bytes % traits_.reveal_bytes == 0 &&
                length_bytes % traits_.reveal_bytes == 0);
    CIUIC_CHECK(length_bytes > 0 && offset_bytes + length_bytes <= traits_.chunk_bytes);
    const Status shown =
        userfault::map_present(space.uffd.get(), client_address(space, chunk) + offset_bytes,
                               length_bytes, page_bytes_, writable);
    if (shown.error().os_error == EFAULT)
        note_breach(space, "it took pages out of its memory file");
    return shown;
}

Status SharedHostDevice::allow_write(ChunkRef chunk, FrameIndex frame) {
    const Space& space = space_of(chunk, frame);
    return userfault::write_protect(space.uffd.get(), client_address(space, chunk),
                                    traits_.chunk_bytes, false);
}

Result<std::span<std::byte>> SharedHostDevice::conceal(ChunkRef chunk, FrameIndex frame) {
    const Space& space = space_of(chunk, frame);
    CIUIC_TRY_STATUS(userfault::write_protect(space.uffd.get(), client_address(space, chunk),
                                              traits_.chunk_bytes, true));
    return bytes_of(space, chunk);
}

Status SharedHostDevice::restore(ChunkRef chunk, FrameIndex frame, bool writable) {
    const Space& space = space_of(chunk, frame);
    const uint64_t address = client_address(space, chunk);
    if (writable)
        return userfault::write_protect(space.uffd.get(), address, traits_.chunk_bytes, false);
    return userfault::wake(space.uffd.get(), address, traits_.chunk_bytes);
}

void SharedHostDevice::close(ChunkRef chunk, FrameIndex frame) {
    Space& space = space_of(chunk, frame);
    (void)check_size(space);
    give_back(space, chunk.chunk.value * traits_.chunk_bytes, traits_.chunk_bytes);
    users_[frame.value] = nobody;
    --space.open_chunks;
    // A client that is gone has no protection left to clear and nobody to wake.
    const uint64_t address = client_address(space, chunk);
    (void)userfault::write_protect(space.uffd.get(), address, traits_.chunk_bytes, false);
    (void)userfault::wake(space.uffd.get(), address, traits_.chunk_bytes);
}

Status SharedHostDevice::poison(ChunkRef chunk) {
    const Space& space = space_of(chunk);
    const uint64_t address = client_address(space, chunk);
    return userfault::poison(space.uffd.get(), address, traits_.chunk_bytes, page_bytes_);
}

void SharedHostDevice::detach(SessionIndex session) {
    CIUIC_CHECK(session.value < spaces_.size());
    Space& space = spaces_[session.value];
    CIUIC_CHECK(space.open_chunks == 0);
    if (space.chunks == 0) return;
    // The client's copy would keep the descriptor in the set.
    if (space.uffd) ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, space.uffd.get(), nullptr);
    if (space.breach && !space.breach_told) --breaches_untold_;
    space.guard.reset();
    const size_t size_bytes = space.mapping.size_bytes();
    const Estate estate{space.file.release(), space.mapping.release(), size_bytes};
    space = Space{};
    std::array<Settled, 16> settled;
    estates_ -= static_cast<uint32_t>(undertaker_->drain(settled));
    if (undertaker_->submit(estate))
        ++estates_;
    else
        settle(estate);
}

void SharedHostDevice::note_breach(Space& space, const char* what) {
    if (space.breach) return;
    space.breach = what;
    ++breaches_untold_;
}

// False: the client has changed its file's size.
bool SharedHostDevice::check_size(Space& space) {
    struct stat status {};
    if (::fstat(space.file.get(), &status) != 0 ||
        static_cast<uint64_t>(status.st_size) != space.mapping.size_bytes())
        note_breach(space, "it changed the size of its memory file");
    return space.breach == nullptr;
}

// There is no memory: whose file holds more than it was given? A client's touch waits and its
// chunks are counted, so nothing but its own hand fills it.
void SharedHostDevice::accuse_thieves() {
    for (Space& space : spaces_) {
        struct stat status {};
        if (space.chunks == 0 || ::fstat(space.file.get(), &status) != 0) continue;
        // Where the machine gives huge pages unasked, the last one is larger than a small chunk.
        const uint64_t unit_bytes = std::max(traits_.chunk_bytes, 2 * MiB);
        if (static_cast<uint64_t>(status.st_blocks) * 512 > space.open_chunks * unit_bytes)
            note_breach(space, "it filled its memory file behind the daemon's back");
    }
}

void SharedHostDevice::give_back(Space& space, uint64_t offset_bytes, uint64_t length_bytes) {
    if (!punch(space.file.get(), offset_bytes, length_bytes))
        note_breach(space, "its memory file cannot be emptied");
}

std::optional<SharedHostDevice::Breach> SharedHostDevice::next_breach() {
    if (const uint32_t hits = GuardedRange::hits(); hits != bus_hits_) {
        bus_hits_ = hits;
        for (Space& space : spaces_)
            if (space.guard.was_hit()) note_breach(space, "it took memory from under the daemon");
    }
    if (breaches_untold_ == 0) return std::nullopt;
    for (uint32_t index = 0; index < spaces_.size(); ++index) {
        Space& space = spaces_[index];
        if (!space.breach || space.breach_told) continue;
        space.breach_told = true;
        --breaches_untold_;
        return Breach{SessionIndex{index}, space.breach};
    }
    return std::nullopt;
}

size_t SharedHostDevice::drain(std::span<DeviceEvent> events) {
    size_t count = 0;
    while (count < events.size()) {
        // No more sessions than events: each that is returned gets a turn, and the kernel puts
        // it behind the others, so that nobody is starved.
        epoll_event ready[messages_per_turn];
        const size_t room = std::min(events.size() - count, std::size(ready));
        const int sessions = ::epoll_wait(events_.get(), ready, static_cast<int>(room), 0);
        if (sessions <= 0) break;
        const size_t before = count;
        for (int i = 0; i < sessions; ++i) {
            const size_t share = (events.size() - count) / static_cast<size_t>(sessions - i);
            const SessionIndex session{ready[i].data.u32};
            // The client shares the descriptor's flags; while it is blocking, epoll says error.
            if (ready[i].events & EPOLLERR)
                (void)make_nonblocking(spaces_[session.value].uffd.get());
            count += drain_session(session, events.subspan(count, share));
        }
        if (count == before) break;
    }
    return count;
}

size_t SharedHostDevice::drain_session(SessionIndex session, std::span<DeviceEvent> events) {
    const Space& space = spaces_[session.value];
    uffd_msg messages[messages_per_turn];
    const size_t wanted = std::min(events.size(), std::size(messages));
    const size_t got = userfault::read_messages(space.uffd.get(), {messages, wanted});
    size_t count = 0;
    for (const uffd_msg& message : std::span(messages, got)) {
        // A client that asked for fork events gave us a descriptor with each.
        if (message.event == UFFD_EVENT_FORK) ::close(static_cast<int>(message.arg.fork.ufd));
        if (message.event != UFFD_EVENT_PAGEFAULT) continue;
        // Faults of other memory that the client registered are its own affair.
        const uint64_t offset_bytes = message.arg.pagefault.address - space.client_base;
        if (offset_bytes >= space.mapping.size_bytes()) continue;
        const uint64_t flags = message.arg.pagefault.flags;
        DeviceEvent& event = events[count++];
        event.kind =
            (flags & UFFD_PAGEFAULT_FLAG_WP) ? DeviceEventKind::write : DeviceEventKind::missing;
        event.is_write = (flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)) != 0;
        event.chunk = {session,
                       ChunkIndex{static_cast<uint32_t>(offset_bytes / traits_.chunk_bytes)}};
        event.offset_bytes = offset_bytes % traits_.chunk_bytes;
    }
    return count;
}

}  // namespace ciuic
