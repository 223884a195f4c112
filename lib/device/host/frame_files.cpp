// SPDX-License-Identifier: Apache-2.0
#include "device/host/frame_files.hpp"

#include "base/mapping.hpp"
#include "base/units.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace ciuic {

namespace {

constexpr uint64_t huge_page_bytes = 2 * MiB;

// linux/memfd.h, 6.3: the file can never be made executable.
constexpr unsigned memfd_noexec_seal = 0x0008;

Error mount_refusal(const char* what, int os_error) {
    switch (os_error) {
    case ENOMEM:
    case ENOSPC: return {Errc::no_memory, os_error, what};
    case EPERM:
    case EACCES: return {Errc::permission, os_error, what};
    case ENODEV:
    case ENOSYS:
    case EINVAL: return {Errc::unsupported, os_error, what};
    default: return os_refusal(what, os_error);
    }
}

struct MountOption {
    const char* key;
    const char* value;
};

// A mount that is in no directory tree: it lives as long as its descriptor and its open files.
Result<UniqueFd> mount_detached(const char* type, std::span<const MountOption> options,
                                const char* wished_flag) {
    UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
    if (!context) return mount_refusal("fsopen", errno);
    for (const MountOption& option : options)
        if (::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) != 0)
            return mount_refusal("fsconfig", errno);
    // Newer kernels only; without it the mount is as good, only not as guarded.
    if (wished_flag) (void)::fsconfig(context.get(), FSCONFIG_SET_FLAG, wished_flag, nullptr, 0);
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return mount_refusal("mounting memory for frames", errno);
    UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                             MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    if (!mount) return mount_refusal("fsmount", errno);
    return mount;
}

Result<UniqueFd> mount_hugetlb(uint64_t budget_bytes) {
    char size[24];
    std::snprintf(size, sizeof size, "%" PRIu64, budget_bytes);
    // min_size reserves the pages now, or the mount fails with ENOMEM.
    const MountOption options[] = {
        {"pagesize", "2M"}, {"size", size}, {"min_size", size}, {"mode", "0700"}};
    return mount_detached("hugetlbfs", options, nullptr);
}

Result<UniqueFd> mount_tmpfs(uint64_t budget_bytes, bool huge) {
    char size[24];
    std::snprintf(size, sizeof size, "%" PRIu64, budget_bytes);
    const MountOption options[] = {
        {"size", size}, {"huge", huge ? "always" : "never"}, {"mode", "0700"}};
    return mount_detached("tmpfs", options, "noswap");
}

// Whether the mapping at `address` has its memory mapped by huge pages, as /proc/self/smaps says.
bool mapped_huge(const std::byte* address, uint64_t length_bytes) {
    std::FILE* smaps = std::fopen("/proc/self/smaps", "re");
    if (!smaps) return false;
    char line[256];
    bool here = false;
    uint64_t huge_kib = 0;
    while (std::fgets(line, sizeof line, smaps)) {
        uint64_t begin = 0;
        uint64_t end = 0;
        if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &begin, &end) == 2)
            here = begin == reinterpret_cast<uint64_t>(address);
        else if (here && std::strncmp(line, "ShmemPmdMapped:", 15) == 0)
            std::sscanf(line + 15, "%" SCNu64, &huge_kib);
    }
    std::fclose(smaps);
    return huge_kib * KiB >= length_bytes;
}

Result<UniqueFd> make_memfd() {
    constexpr const char* name = "ciuic-space";
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    UniqueFd file(::memfd_create(name, flags | memfd_noexec_seal));
    if (!file && errno == EINVAL) file = UniqueFd(::memfd_create(name, flags));
    if (!file) return os_refusal("memfd_create", errno);
    // It is born readable and writable by all, and a descriptor's holder can reopen it.
    if (::fchmod(file.get(), 0600) != 0) return os_refusal("fchmod", errno);
    return file;
}

bool gives_huge_pages(const FrameFiles& files) {
    Result<UniqueFd> file = files.make_file(huge_page_bytes);
    if (!file.has_value()) return false;
    if (::fallocate(file->get(), 0, 0, huge_page_bytes) != 0) return false;
    const Result<Mapping> probe = Mapping::create_aligned(
        huge_page_bytes, huge_page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->get());
    if (!probe.has_value()) return false;
    if (::madvise(probe->data(), huge_page_bytes, MADV_POPULATE_WRITE) != 0) return false;
    return mapped_huge(probe->data(), huge_page_bytes);
}

}  // namespace

Result<FrameFiles> FrameFiles::create(FrameKind kind, uint64_t budget_bytes, uint64_t chunk_bytes) {
    const bool whole_huge_pages = chunk_bytes % huge_page_bytes == 0;
    FrameFiles files;
    if (kind == FrameKind::automatic) {
        for (const FrameKind wished : {FrameKind::hugetlb, FrameKind::tmpfs}) {
            Result<FrameFiles> got = create(wished, budget_bytes, chunk_bytes);
            if (got.has_value() && (wished == FrameKind::hugetlb || got->huge_)) return got;
        }
        kind = FrameKind::memfd;
    }
    files.kind_ = kind;
    if (kind == FrameKind::hugetlb) {
        if (!whole_huge_pages)
            return Error{Errc::unsupported, 0, "hugetlb frames need chunks of 2 MiB or more"};
        CIUIC_TRY(files.mount_, mount_hugetlb(budget_bytes));
        files.huge_ = true;
    }
    if (kind == FrameKind::tmpfs) {
        CIUIC_TRY(files.mount_, mount_tmpfs(budget_bytes, whole_huge_pages));
        files.huge_ = whole_huge_pages && gives_huge_pages(files);
    }
    return files;
}

Result<UniqueFd> FrameFiles::make_file(uint64_t size_bytes) const {
    UniqueFd file;
    if (kind_ == FrameKind::memfd) {
        CIUIC_TRY(file, make_memfd());
    } else {
        // O_EXCL: no link to it can ever be made.
        file = UniqueFd(::openat(mount_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600));
        if (!file) return os_refusal("creating a memory file", errno);
    }
    if (::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0)
        return os_refusal("sizing a memory file", errno);
    if (sealed() &&
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return os_refusal("sealing a memory file", errno);
    return file;
}

const char* FrameFiles::name() const {
    switch (kind_) {
    case FrameKind::hugetlb: return "hugetlb";
    case FrameKind::tmpfs: return huge_ ? "tmpfs-huge" : "tmpfs-4k";
    case FrameKind::automatic:
    case FrameKind::memfd: break;
    }
    return "memfd-4k";
}

uint64_t FrameFiles::page_bytes() const {
    return kind_ == FrameKind::hugetlb ? huge_page_bytes
                                       : static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace ciuic
