// SPDX-License-Identifier: Apache-2.0
#include "device/host/embedded_file.hpp"

#include "base/check.hpp"
#include "device/host/userfault.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

namespace ciuic {

namespace {

constexpr SessionIndex only_session{0};

uint64_t address_of(const std::byte* place) { return reinterpret_cast<uint64_t>(place); }

// Puts the file where the program's space is to be, as map_space() does elsewhere.
Status map_over(std::span<std::byte> space, int file) {
    if (::mmap(space.data(), space.size(), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED)
        return os_refusal("mmap", errno);
    return prepare_space(space);
}

}  // namespace

Result<std::unique_ptr<EmbeddedFileDevice>>
EmbeddedFileDevice::create(const EmbeddedFileOptions& options) {
    const std::span<std::byte> space = options.space;
    CIUIC_TRY(auto shared, SharedHostDevice::create({.frames = options.frames,
                                                     .chunk_bytes = options.chunk_bytes,
                                                     .block_bytes = options.block_bytes,
                                                     .sessions = 1,
                                                     .kind = options.kind,
                                                     .features = options.features}));
    if (space.empty() || space.size() % options.chunk_bytes != 0 ||
        address_of(space.data()) % (2 * MiB) != 0)
        return Error{Errc::invalid, 0, "the space is not made of whole chunks, aligned to 2 MiB"};
    const auto chunks = static_cast<uint32_t>(space.size() / options.chunk_bytes);
    CIUIC_TRY(const int file, shared->make_space(only_session, chunks));
    CIUIC_TRY_STATUS(map_over(space, file));
    CIUIC_TRY(UniqueFd uffd, open_userfault(-1));
    CIUIC_TRY_STATUS(uffd_handshake(uffd.get(), shared_userfault_features()));
    CIUIC_TRY_STATUS(register_space(uffd.get(), space.data(), space.size(), true));
    UniqueFd copy(::fcntl(uffd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return os_refusal("fcntl(F_DUPFD_CLOEXEC)", errno);
    CIUIC_TRY_STATUS(shared->attach(only_session, std::move(copy), address_of(space.data())));
    return std::unique_ptr<EmbeddedFileDevice>(
        new EmbeddedFileDevice(options, std::move(shared), std::move(uffd), file));
}

EmbeddedFileDevice::EmbeddedFileDevice(const EmbeddedFileOptions& options,
                                       std::unique_ptr<SharedHostDevice> shared, UniqueFd uffd,
                                       int file)
    : space_(options.space), has_poison_(options.features.poison), uffd_(std::move(uffd)),
      file_(file), shared_(std::move(shared)), traits_(shared_->traits()),
      poisoned_(space_.size() / options.chunk_bytes) {
    traits_.name = "host-embedded";
}

EmbeddedFileDevice::~EmbeddedFileDevice() {
    // When the last descriptor closes, missing pages would read as zeros.
    shut(space_);
}

std::span<std::byte> EmbeddedFileDevice::shown_at(ChunkRef chunk) const {
    CIUIC_CHECK(chunk.session == only_session && chunk.chunk.value < poisoned_.size());
    return space_.subspan(chunk.chunk.value * traits_.chunk_bytes, traits_.chunk_bytes);
}

// Whoever waits in the range looks again and finds it closed.
void EmbeddedFileDevice::shut(std::span<std::byte> range) {
    // No room for one more border in the process's list of mappings: then the whole space goes.
    // That needs no new border.
    if (::mprotect(range.data(), range.size(), PROT_NONE) != 0) {
        range = space_;
        CIUIC_CHECK(::mprotect(range.data(), range.size(), PROT_NONE) == 0);
    }
    (void)userfault::wake(uffd_.get(), address_of(range.data()), range.size());
}

Status EmbeddedFileDevice::poison(ChunkRef chunk) {
    const std::span<std::byte> range = shown_at(chunk);
    poisoned_[chunk.chunk.value] = true;
    if (has_poison_) return shared_->poison(chunk);
    shut(range);
    return {};
}

void EmbeddedFileDevice::unpoison(ChunkRef chunk) {
    const std::span<std::byte> range = shown_at(chunk);
    if (!poisoned_[chunk.chunk.value]) return;
    // Refused only where the program unmapped a part; the rest stays an error at every touch.
    const int refused = has_poison_
                            ? ::madvise(range.data(), range.size(), MADV_DONTNEED_LOCKED)
                            : ::mprotect(range.data(), range.size(), PROT_READ | PROT_WRITE);
    poisoned_[chunk.chunk.value] = refused != 0;
}

void EmbeddedFileDevice::detach(SessionIndex session) {
    CIUIC_CHECK(session == only_session);
    shut(space_);
    shared_->detach(session);
}

}  // namespace ciuic
