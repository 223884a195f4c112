// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/path/memory_backing.hpp"

#include "benchmarks/path/paged_region.hpp"

#include "base/check.hpp"
#include "base/units.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ciuic::bench {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t page_is_present = uint64_t{1} << 63;  // linux/Documentation: pagemap.rst

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, std::strerror(errno));
    std::exit(1);
}

Mapping map(uint64_t length_bytes, int flags, int fd) {
    // Aligned as Ciuic's memory is, so that chunks are the same everywhere.
    auto mapping =
        Mapping::create_aligned(length_bytes, 2 * MiB, PROT_READ | PROT_WRITE, flags, fd);
    if (!mapping) fail("mmap");
    return *std::move(mapping);
}

long major_faults() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_majflt;
}

}  // namespace

MemoryBacking::MemoryBacking(const BackingOptions& options)
    : length_bytes_(options.region_mib * MiB) {
    switch (options.backing) {
    case Backing::plain: map_plain(options.huge); break;
    case Backing::file: map_file(options.store); break;
    case Backing::embedded:
    case Backing::daemon: open_session(options); break;
    }
}

MemoryBacking::~MemoryBacking() {
    if (!session_) return;
    ciuic_free(session_, bytes_.data());
    ciuic_close(session_);
}

void MemoryBacking::map_plain(bool huge) {
    mapping_ = map(length_bytes_, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    bytes_ = mapping_.bytes();
    if (::madvise(bytes_.data(), bytes_.size(), huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
        fail("madvise");
}

void MemoryBacking::map_file(const std::string& directory) {
    const UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file) fail("creating the file");
    errno = ::posix_fallocate(file.get(), 0, static_cast<off_t>(length_bytes_));
    if (errno != 0) fail("laying the file out");
    mapping_ = map(length_bytes_, MAP_SHARED, file.get());
    bytes_ = mapping_.bytes();
    is_file_ = true;
}

void MemoryBacking::expect_order(int advice) {
    if (is_file_ && ::madvise(bytes_.data(), bytes_.size(), advice) != 0) fail("madvise");
}

void MemoryBacking::open_session(const BackingOptions& options) {
    const bool embedded = options.backing == Backing::embedded;
    ciuic_options wanted{};
    wanted.struct_size = sizeof wanted;
    wanted.flags = options.declares ? unsigned{CIUIC_DECLARES_USES} : 0u;
    wanted.mode = embedded ? CIUIC_MODE_EMBEDDED : CIUIC_MODE_DAEMON;
    if (embedded) {
        wanted.store_path = options.store.c_str();
        wanted.budget_bytes = options.budget_mib * MiB;
        wanted.store_bytes = length_bytes_;
    } else {
        wanted.socket_path = options.socket.c_str();
    }
    require(ciuic_open(&wanted, &session_), "cannot open a session");
    void* memory = nullptr;
    require(ciuic_alloc(session_, length_bytes_, &memory), "cannot allocate");
    bytes_ = {static_cast<std::byte*>(memory), length_bytes_};
    pagemap_ = UniqueFd(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    if (!pagemap_) fail("opening /proc/self/pagemap");
}

ciuic_statistics MemoryBacking::statistics() const {
    ciuic_statistics now{};
    now.struct_size = sizeof now;
    if (session_) require(ciuic_stats(session_, &now), "cannot read the statistics");
    return now;
}

void MemoryBacking::expect_touch(uint64_t offset_bytes, uint64_t length_bytes) {
    major_faults_ = major_faults();
    if (!session_) return;
    std::array<uint64_t, 2 * MiB / page_bytes> entries;
    const uint64_t count = length_bytes / page_bytes;
    CIUIC_CHECK(count >= 1 && count <= entries.size());
    const uint64_t first = (reinterpret_cast<uint64_t>(bytes_.data()) + offset_bytes) / page_bytes;
    const size_t wanted_bytes = count * sizeof entries[0];
    const ssize_t got = ::pread(pagemap_.get(), entries.data(), wanted_bytes,
                                static_cast<off_t>(first * sizeof entries[0]));
    if (got != static_cast<ssize_t>(wanted_bytes)) fail("reading /proc/self/pagemap");
    was_absent_ = std::any_of(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count),
                              [](uint64_t entry) { return (entry & page_is_present) == 0; });
}

bool MemoryBacking::was_miss() const {
    return session_ ? was_absent_ : major_faults() > major_faults_;
}

}  // namespace ciuic::bench
