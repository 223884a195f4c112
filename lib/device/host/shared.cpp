// SPDX-License-Identifier: Apache-2.0
#include "device/host/shared.hpp"

#include "base/check.hpp"
#include "device/host/rung.hpp"
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

// In the set of watched descriptors: a session's own, not one of its readers'.
constexpr uint32_t no_reader = none_index;

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

// Clients need the right to a userfaultfd, not this process.
HostFeatures for_clients(HostFeatures features) {
    features.userfault = true;
    return features;
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
    request.mode = UFFDIO_CONTINUE_MODE_DONTWAKE;
    if (::ioctl(uffd, UFFDIO_CONTINUE, &request) == 0)
        return Error{Errc::invalid, 0, "the client registered memory that is not its space"};
    switch (errno) {
    case EFAULT: return {};
    case ESRCH: return Error{Errc::disconnected, ESRCH, "the client is gone"};
    default: return Error{Errc::invalid, errno, "the client did not register its space"};
    }
}

// What can be said of a descriptor and an address before they are used.
Status check_word(const UniqueFd& uffd, uint64_t base_address, uint64_t size_bytes) {
    if (!uffd || !is_userfault(uffd.get()))
        return Error{Errc::invalid, 0, "the client's descriptor is not a userfaultfd"};
    if (base_address % (2 * MiB) != 0 || base_address + size_bytes < size_bytes)
        return Error{Errc::invalid, 0, "the client's base address is not a multiple of 2 MiB"};
    return make_nonblocking(uffd.get());
}

Status check_protectable(int uffd, uint64_t base_address, uint64_t size_bytes) {
    const Status cleared = userfault::write_protect(uffd, base_address, size_bytes, false);
    if (cleared) return {};
    return Error{Errc::invalid, cleared.error().os_error,
                 "the client did not register its space for write protection"};
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
    const bool is_known = options.features.userfault || options.features.minor_shared;
    if (!is_known) return options.features.refusal;
    if (rung_of(for_clients(options.features)) == HostRung::none)
        return Error{Errc::unsupported, 0,
                     "paging shared memory needs Linux 6.1 (userfaultfd with minor faults and "
                     "write protection of shared memory)"};
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
    : files_(std::move(files)), features_(options.features), page_bytes_(files_.page_bytes()),
      events_(std::move(events)), spaces_(options.sessions), users_(options.frames, nobody),
      whole_(options.frames, 0), bus_hits_(GuardedRange::hits()),
      undertaker_(std::move(undertaker)) {
    traits_.name = "host-shared";
    traits_.frame_kind = files_.name();
    traits_.frames = options.frames;
    traits_.chunk_bytes = options.chunk_bytes;
    traits_.rung = rung_name(rung_of(for_clients(features_)));
    traits_.sees_writes = features_.continue_wp;
    traits_.reveal_bytes =
        traits_.sees_writes ? std::max(options.block_bytes, page_bytes_) : options.chunk_bytes;
    traits_.opens_parts = traits_.reveal_bytes < options.chunk_bytes;
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
    CIUIC_TRY_STATUS(check_word(uffd, client_base_address, size_bytes));
    const uint64_t last_page = client_base_address + size_bytes - page_bytes_;
    CIUIC_TRY_STATUS(check_registered(uffd.get(), client_base_address, page_bytes_));
    CIUIC_TRY_STATUS(check_registered(uffd.get(), last_page, page_bytes_));
    CIUIC_TRY_STATUS(check_protectable(uffd.get(), client_base_address, size_bytes));
    CIUIC_TRY_STATUS(watch(uffd, session, no_reader));
    space.uffd = std::move(uffd);
    space.client_base = client_base_address;
    space.readers = Readers(page_bytes_);
    return {};
}

Result<uint32_t> SharedHostDevice::add_reader(SessionIndex session, UniqueFd uffd,
                                              uint64_t base_address) {
    CIUIC_CHECK(session.value < spaces_.size());
    Space& space = spaces_[session.value];
    CIUIC_CHECK(space.uffd);
    const uint64_t size_bytes = space.mapping.size_bytes();
    CIUIC_TRY_STATUS(check_word(uffd, base_address, size_bytes));
    // What else it has registered cannot be asked for without mapping something.
    CIUIC_TRY_STATUS(check_protectable(uffd.get(), base_address, size_bytes));
    CIUIC_TRY(const uint32_t reader, space.readers.add(std::move(uffd), base_address));
    if (const Status watched = watch(space.readers.descriptor(reader), session, reader); !watched) {
        space.readers.remove(reader);
        return watched.error();
    }
    return reader;
}

void SharedHostDevice::remove_reader(SessionIndex session, uint32_t reader) {
    Readers& readers = spaces_[session.value].readers;
    CIUIC_CHECK(readers.has(reader));
    unwatch(readers.uffd(reader));
    readers.remove(reader);
}

bool SharedHostDevice::is_reader_alive(SessionIndex session, uint32_t reader) const {
    const Readers& readers = spaces_[session.value].readers;
    return readers.has(reader) && readers.is_alive(reader);
}

Status SharedHostDevice::watch(const UniqueFd& uffd, SessionIndex session, uint32_t reader) {
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.u64 = uint64_t{reader} << 32 | session.value;
    if (::epoll_ctl(events_.get(), EPOLL_CTL_ADD, uffd.get(), &interest) != 0)
        return os_refusal("epoll_ctl", errno);
    return {};
}

// Closing is not enough: the other process's copy would keep the descriptor in the set.
void SharedHostDevice::unwatch(int uffd) {
    ::epoll_ctl(events_.get(), EPOLL_CTL_DEL, uffd, nullptr);
}

Result<std::span<std::byte>> SharedHostDevice::open(ChunkRef chunk, FrameIndex frame) {
    CIUIC_CHECK(frame.value < users_.size() && users_[frame.value] == nobody);
    return back(chunk, frame, 0, traits_.chunk_bytes);
}

Result<std::span<std::byte>> SharedHostDevice::open_part(ChunkRef chunk, FrameIndex frame,
                                                         uint64_t offset_bytes,
                                                         uint64_t length_bytes) {
    if (!traits_.opens_parts) return Device::open_part(chunk, frame, offset_bytes, length_bytes);
    return back(chunk, frame, offset_bytes, length_bytes);
}

// Makes this part's pages.
Result<std::span<std::byte>> SharedHostDevice::back(ChunkRef chunk, FrameIndex frame,
                                                    uint64_t offset_bytes, uint64_t length_bytes) {
    CIUIC_CHECK(frame.value < users_.size());
    CIUIC_CHECK(users_[frame.value] == nobody || users_[frame.value] == chunk);
    CIUIC_CHECK(length_bytes > 0 && offset_bytes + length_bytes <= traits_.chunk_bytes);
    Space& space = space_of(chunk);
    const std::span<std::byte> bytes = bytes_of(space, chunk);
    const std::span<std::byte> part = bytes.subspan(offset_bytes, length_bytes);
    const uint64_t in_file_bytes = chunk.chunk.value * traits_.chunk_bytes + offset_bytes;
    // Before the allocation, which may grow the file.
    if (!check_size(space)) return Error{Errc::disconnected, 0, space.breach};
    // First the pages, then this process's view of them: neither a read from disk nor a touch
    // finds memory missing, so a lack of it is an error code here and no SIGBUS anywhere.
    int refused = allocate(space.file.get(), 0, in_file_bytes, part.size());
    if (refused == 0 && ::madvise(part.data(), part.size(), MADV_POPULATE_WRITE) != 0)
        refused = errno;
    if (refused != 0) {
        give_back(space, in_file_bytes, part.size());
        const bool memory = refused == ENOSPC || refused == ENOMEM || refused == EFAULT;
        if (memory) accuse_thieves();
        return Error{memory ? Errc::no_memory : Errc::io, refused, "allocating a frame"};
    }
    if (users_[frame.value] == nobody) ++space.open_chunks;
    users_[frame.value] = chunk;
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
                               length_bytes, page_bytes_, writable || !traits_.sees_writes);
    if (shown.error().os_error == EFAULT)
        note_breach(space, "it took pages out of its memory file");
    if (!shown) return shown;
    if (length_bytes == traits_.chunk_bytes) whole_[frame.value] = 1;
    if (whole_[frame.value])
        space.readers.show(offset_of(chunk), traits_.chunk_bytes);
    else
        space.readers.show(offset_of(chunk) + offset_bytes, length_bytes);
    return {};
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
    Space& space = space_of(chunk, frame);
    const uint64_t address = client_address(space, chunk);
    CIUIC_TRY_STATUS(
        writable || !traits_.sees_writes
            ? userfault::write_protect(space.uffd.get(), address, traits_.chunk_bytes, false)
            : userfault::wake(space.uffd.get(), address, traits_.chunk_bytes));
    space.readers.show(offset_of(chunk), traits_.chunk_bytes);
    return {};
}

void SharedHostDevice::close(ChunkRef chunk, FrameIndex frame) {
    Space& space = space_of(chunk, frame);
    (void)check_size(space);
    give_back(space, offset_of(chunk), traits_.chunk_bytes);
    users_[frame.value] = nobody;
    whole_[frame.value] = 0;
    --space.open_chunks;
    // A client that is gone has no protection left to clear and nobody to wake.
    const uint64_t address = client_address(space, chunk);
    (void)userfault::write_protect(space.uffd.get(), address, traits_.chunk_bytes, false);
    (void)userfault::wake(space.uffd.get(), address, traits_.chunk_bytes);
    space.readers.retry(offset_of(chunk), traits_.chunk_bytes);
}

Status SharedHostDevice::poison(ChunkRef chunk) {
    Space& space = space_of(chunk);
    space.readers.poison(offset_of(chunk), traits_.chunk_bytes);
    if (!features_.poison) return Error{Errc::unsupported, 0, "UFFDIO_POISON needs Linux 6.6"};
    const uint64_t address = client_address(space, chunk);
    return userfault::poison(space.uffd.get(), address, traits_.chunk_bytes, page_bytes_);
}

void SharedHostDevice::detach(SessionIndex session) {
    CIUIC_CHECK(session.value < spaces_.size());
    Space& space = spaces_[session.value];
    CIUIC_CHECK(space.open_chunks == 0);
    if (space.chunks == 0) return;
    if (space.uffd) unwatch(space.uffd.get());
    space.readers.for_each([this](int uffd) { unwatch(uffd); });
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
        // No more sources than events: each that is returned gets a turn, and the kernel puts
        // it behind the others, so that nobody is starved.
        epoll_event ready[messages_per_turn];
        const size_t room = std::min(events.size() - count, std::size(ready));
        const int sources = ::epoll_wait(events_.get(), ready, static_cast<int>(room), 0);
        if (sources <= 0) break;
        const size_t before = count;
        for (int i = 0; i < sources; ++i) {
            const size_t share = (events.size() - count) / static_cast<size_t>(sources - i);
            const SessionIndex session{static_cast<uint32_t>(ready[i].data.u64)};
            const auto reader = static_cast<uint32_t>(ready[i].data.u64 >> 32);
            if (ready[i].events & EPOLLERR) keep_nonblocking(session, reader);
            const auto part = events.subspan(count, share);
            count += reader == no_reader ? drain_session(session, part)
                                         : drain_reader(session, reader, part);
        }
        if (count == before) break;
    }
    return count;
}

// The client shares the descriptor's flags; while it is blocking, epoll says error.
void SharedHostDevice::keep_nonblocking(SessionIndex session, uint32_t reader) {
    const Space& space = spaces_[session.value];
    (void)make_nonblocking(reader == no_reader ? space.uffd.get() : space.readers.uffd(reader));
}

DeviceEvent SharedHostDevice::event_at(SessionIndex session, uint64_t offset_bytes) const {
    DeviceEvent event;
    event.chunk = {session, ChunkIndex{static_cast<uint32_t>(offset_bytes / traits_.chunk_bytes)}};
    event.offset_bytes = offset_bytes % traits_.chunk_bytes;
    return event;
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
        DeviceEvent& event = events[count++] = event_at(session, offset_bytes);
        event.kind =
            (flags & UFFD_PAGEFAULT_FLAG_WP) ? DeviceEventKind::write : DeviceEventKind::missing;
        event.is_write = (flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)) != 0;
    }
    return count;
}

size_t SharedHostDevice::drain_reader(SessionIndex session, uint32_t reader,
                                      std::span<DeviceEvent> events) {
    Space& space = spaces_[session.value];
    uffd_msg messages[messages_per_turn];
    const size_t wanted = std::min(events.size(), std::size(messages));
    const size_t got = userfault::read_messages(space.readers.uffd(reader), {messages, wanted});
    size_t count = 0;
    for (const uffd_msg& message : std::span(messages, got)) {
        const auto offset_bytes =
            space.readers.on_message(reader, message, space.mapping.size_bytes());
        if (offset_bytes) events[count++] = event_at(session, *offset_bytes);
    }
    return count;
}

}  // namespace ciuic
