// SPDX-License-Identifier: Apache-2.0
//
// Creation, sealing and checked mapping of the shared segments.
#include "protocol/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <new>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3; older headers lack it
#endif

namespace ciuic {
namespace {

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

Error creation_refusal(const char* what) {
    const int os_error = errno;
    return {os_error == ENOMEM || os_error == ENOSPC || os_error == EMFILE ? Errc::no_memory
                                                                           : Errc::io,
            os_error, what};
}

Result<UniqueFd> make_memfd(const char* name, uint64_t size_bytes) {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    UniqueFd fd(::memfd_create(name, flags | MFD_NOEXEC_SEAL));
    if (!fd && errno == EINVAL) fd = UniqueFd(::memfd_create(name, flags));
    if (!fd) return creation_refusal("memfd_create");
    // Every page now: an access that finds no memory later would be a SIGBUS.
    if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(size_bytes)) != 0)
        return creation_refusal("fallocate of a shared segment");
    return fd;
}

Status seal(int fd, int seals) {
    if (::fcntl(fd, F_ADD_SEALS, seals) != 0) return creation_refusal("fcntl F_ADD_SEALS");
    return {};
}

Result<Mapping> map_shared(int fd, uint64_t size_bytes, int protection) {
    CIUIC_TRY(Mapping memory, Mapping::create(size_bytes, protection, MAP_SHARED, fd));
    // A forked child would write into its parent's segment.
    if (::madvise(memory.data(), size_bytes, MADV_DONTFORK) != 0)
        return os_refusal("madvise MADV_DONTFORK", errno);
    return memory;
}

wire::SegmentHeader header_of(wire::SegmentKind kind, const SegmentShape& shape,
                              uint64_t size_bytes) {
    return {.kind = kind,
            .size_bytes = size_bytes,
            .chunk_bytes = shape.chunk_bytes,
            .chunks = shape.chunks};
}

// The client checks before it touches: a segment that is shorter than it should be would kill it.
Result<Mapping> map_checked(int fd, const wire::SegmentHeader& expected, int protection) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_refusal("fstat of a shared segment", errno);
    if (static_cast<uint64_t>(status.st_size) != expected.size_bytes)
        return Error{Errc::invalid, 0, "a shared segment has another size than announced"};
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & size_seals) != size_seals)
        return Error{Errc::invalid, 0, "a shared segment is not sealed against a change of size"};
    CIUIC_TRY(Mapping memory, map_shared(fd, expected.size_bytes, protection));
    const auto& header = *reinterpret_cast<const wire::SegmentHeader*>(memory.data());
    if (header.magic != expected.magic || header.version != expected.version ||
        header.kind != expected.kind || header.size_bytes != expected.size_bytes ||
        header.chunk_bytes != expected.chunk_bytes || header.chunks != expected.chunks)
        return Error{Errc::invalid, 0, "a shared segment's header differs from what was announced"};
    return memory;
}

}  // namespace

Result<EngineSegment> EngineSegment::create(const SegmentShape& shape) {
    const uint64_t size_bytes = wire::EngineLayout::size_bytes(shape.chunks);
    EngineSegment segment;
    CIUIC_TRY(segment.fd_, make_memfd("ciuic-engine-segment", size_bytes));
    CIUIC_TRY(segment.memory_, map_shared(segment.fd(), size_bytes, PROT_READ | PROT_WRITE));
    // F_SEAL_FUTURE_WRITE spares mappings that exist, which is this one alone.
    CIUIC_TRY_STATUS(seal(segment.fd(), size_seals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
    if (::fchmod(segment.fd(), 0400) != 0) return creation_refusal("fchmod of a shared segment");
    auto* page = new (segment.memory_.data()) wire::EnginePage{};
    page->header = header_of(wire::SegmentKind::engine, shape, size_bytes);
    new (segment.memory_.data() + statistics_at) wire::Statistics{};
    segment.chunks_ = shape.chunks;
    return segment;
}

Result<EngineSegment> EngineSegment::map(int fd, const SegmentShape& shape) {
    EngineSegment segment;
    const uint64_t size_bytes = wire::EngineLayout::size_bytes(shape.chunks);
    CIUIC_TRY(segment.memory_,
              map_checked(fd, header_of(wire::SegmentKind::engine, shape, size_bytes), PROT_READ));
    segment.chunks_ = shape.chunks;
    return segment;
}

Result<ClientSegment> ClientSegment::create(const SegmentShape& shape) {
    const uint64_t size_bytes = wire::ClientLayout::size_bytes(shape.chunks);
    ClientSegment segment;
    CIUIC_TRY(segment.fd_, make_memfd("ciuic-client-segment", size_bytes));
    CIUIC_TRY(segment.memory_, map_shared(segment.fd(), size_bytes, PROT_READ | PROT_WRITE));
    CIUIC_TRY_STATUS(seal(segment.fd(), size_seals | F_SEAL_SEAL));
    auto* page = new (segment.memory_.data()) wire::ClientPage{};
    page->header = header_of(wire::SegmentKind::client, shape, size_bytes);
    segment.chunks_ = shape.chunks;
    return segment;
}

Result<ClientSegment> ClientSegment::map(int fd, const SegmentShape& shape) {
    ClientSegment segment;
    const uint64_t size_bytes = wire::ClientLayout::size_bytes(shape.chunks);
    CIUIC_TRY(segment.memory_,
              map_checked(fd, header_of(wire::SegmentKind::client, shape, size_bytes),
                          PROT_READ | PROT_WRITE));
    segment.chunks_ = shape.chunks;
    return segment;
}

}  // namespace ciuic
