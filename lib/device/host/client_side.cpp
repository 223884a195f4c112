// SPDX-License-Identifier: Apache-2.0
#include "device/host/client_side.hpp"

#include "base/units.hpp"
#include "device/host/userfault_abi.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

namespace ciuic {

namespace {

constexpr uint64_t space_alignment_bytes = 2 * MiB;

struct NamedFeature {
    uint64_t bit;
    const char* lacking;
};

constexpr NamedFeature named_features[] = {
    {UFFD_FEATURE_PAGEFAULT_FLAG_WP, "the kernel lacks UFFD_FEATURE_PAGEFAULT_FLAG_WP (Linux 5.7)"},
    {UFFD_FEATURE_MISSING_HUGETLBFS,
     "the kernel lacks UFFD_FEATURE_MISSING_HUGETLBFS (Linux 4.11)"},
    {UFFD_FEATURE_MISSING_SHMEM, "the kernel lacks UFFD_FEATURE_MISSING_SHMEM (Linux 4.11)"},
    {UFFD_FEATURE_MINOR_HUGETLBFS, "the kernel lacks UFFD_FEATURE_MINOR_HUGETLBFS (Linux 5.13)"},
    {UFFD_FEATURE_MINOR_SHMEM, "the kernel lacks UFFD_FEATURE_MINOR_SHMEM (Linux 5.14)"},
    {UFFD_FEATURE_EXACT_ADDRESS, "the kernel lacks UFFD_FEATURE_EXACT_ADDRESS (Linux 5.18)"},
    {UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
     "the kernel lacks UFFD_FEATURE_WP_HUGETLBFS_SHMEM (Linux 5.19)"},
    {UFFD_FEATURE_POISON, "the kernel lacks UFFD_FEATURE_POISON (Linux 6.6)"},
    {UFFD_FEATURE_MOVE, "the kernel lacks UFFD_FEATURE_MOVE (Linux 6.8)"},
};

// What the kernel offers to a descriptor that has had no handshake yet; it has one afterwards.
Result<uint64_t> offered_features(int uffd) {
    uffdio_api api{};
    api.api = UFFD_API;
    if (::ioctl(uffd, UFFDIO_API, &api) != 0) return os_refusal("UFFDIO_API", errno);
    return uint64_t{api.features};
}

// The kernel refuses an unknown mode before it looks for what is registered at the address.
bool knows_continue_wp(int uffd, const Mapping& unregistered) {
    uffdio_continue request{};
    request.range = {reinterpret_cast<uint64_t>(unregistered.data()), unregistered.size_bytes()};
    request.mode = UFFDIO_CONTINUE_MODE_WP;
    return ::ioctl(uffd, UFFDIO_CONTINUE, &request) != 0 && errno != EINVAL;
}

}  // namespace

uint64_t embedded_userfault_features() {
    return UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_POISON | UFFD_FEATURE_MOVE;
}

uint64_t shared_userfault_features() {
    return UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MISSING_HUGETLBFS |
           UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_HUGETLBFS | UFFD_FEATURE_MINOR_SHMEM |
           UFFD_FEATURE_EXACT_ADDRESS | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
}

Result<UniqueFd> open_userfault(int device_fd) {
    constexpr int flags = O_CLOEXEC | O_NONBLOCK;
    UniqueFd own;
    if (device_fd < 0) {
        own = UniqueFd(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
        device_fd = own.get();
    }
    if (device_fd >= 0) {
        UniqueFd uffd(::ioctl(device_fd, USERFAULTFD_IOC_NEW, flags));
        if (uffd) return uffd;
    }
    UniqueFd uffd(static_cast<int>(::syscall(SYS_userfaultfd, flags)));
    if (uffd) return uffd;
    switch (errno) {
    case EPERM:
        return Error{Errc::unsupported, EPERM,
                     "full userfaultfd is not allowed to this user: give it access to "
                     "/dev/userfaultfd (a group rule) or set vm.unprivileged_userfaultfd=1"};
    case ENOSYS:
        return Error{Errc::unsupported, ENOSYS, "this kernel is built without userfaultfd"};
    default: return os_refusal("userfaultfd", errno);
    }
}

Status uffd_handshake(int uffd, uint64_t features) {
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = features;
    if (::ioctl(uffd, UFFDIO_API, &api) == 0) return {};
    const int refused = errno;
    if (refused != EINVAL) return os_refusal("UFFDIO_API", refused);
    CIUIC_TRY(const uint64_t offered, offered_features(uffd));
    for (const NamedFeature& feature : named_features)
        if ((features & ~offered & feature.bit) != 0)
            return Error{Errc::unsupported, refused, feature.lacking};
    return Error{Errc::unsupported, refused, "the kernel lacks a userfaultfd feature"};
}

Status register_space(int uffd, void* base, uint64_t length_bytes, bool minor) {
    uffdio_register request{};
    request.range = {reinterpret_cast<uint64_t>(base), length_bytes};
    request.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (minor) request.mode |= UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
    if (::ioctl(uffd, UFFDIO_REGISTER, &request) != 0) return os_refusal("UFFDIO_REGISTER", errno);
    const uint64_t needed = uint64_t{1} << _UFFDIO_CONTINUE | uint64_t{1} << _UFFDIO_WRITEPROTECT;
    if (minor && (request.ioctls & needed) != needed)
        return Error{Errc::unsupported, 0, "the kernel cannot write-protect this kind of memory"};
    return {};
}

Status prepare_space(std::span<std::byte> space) {
    if (::madvise(space.data(), space.size(), MADV_DONTFORK) != 0)
        return os_refusal("madvise(MADV_DONTFORK)", errno);
    // Hints: hugetlb memory refuses both, and neither changes what is read.
    (void)::madvise(space.data(), space.size(), MADV_DONTDUMP);
    (void)::madvise(space.data(), space.size(), MADV_HUGEPAGE);
    return {};
}

Result<Mapping> map_space(int file, uint64_t length_bytes) {
    // NORESERVE: pages come from the pager's fallocate, never from a touch.
    CIUIC_TRY(Mapping mapping,
              Mapping::create_aligned(length_bytes, space_alignment_bytes, PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_NORESERVE, file));
    CIUIC_TRY_STATUS(prepare_space(mapping.bytes()));
    return mapping;
}

Result<UniqueFd> map_space_unread(int file, std::span<std::byte> space, int device_fd) {
    CIUIC_TRY(UniqueFd uffd, open_userfault(device_fd));
    CIUIC_TRY_STATUS(uffd_handshake(uffd.get(), shared_userfault_features()));
    if (::mmap(space.data(), space.size(), PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file,
               0) == MAP_FAILED)
        return os_refusal("mmap of the parent's memory", errno);
    Status made = register_space(uffd.get(), space.data(), space.size(), true);
    if (made && ::madvise(space.data(), space.size(), MADV_DONTFORK) != 0)
        made = os_refusal("madvise(MADV_DONTFORK)", errno);
    (void)::madvise(space.data(), space.size(), MADV_DONTDUMP);
    if (made) return uffd;
    (void)::mmap(space.data(), space.size(), PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return made.error();
}

HostFeatures probe_host_features() {
    HostFeatures features;
    Result<UniqueFd> uffd = open_userfault(-1);
    features.userfault = uffd.has_value();
    if (!uffd.has_value()) {
        // A descriptor for user mode is no use for paging, but it is given to everybody and knows
        // the same features.
        features.refusal = uffd.error();
        uffd = UniqueFd(static_cast<int>(
            ::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));
        if (!*uffd) return features;
    }
    const Result<uint64_t> offered = offered_features(uffd->get());
    if (!offered.has_value()) {
        if (features.userfault) features.refusal = offered.error();
        features.userfault = false;
        return features;
    }
    const auto all = [&](uint64_t bits) { return (*offered & bits) == bits; };
    const uint64_t protection = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
    features.minor_shared = all(protection | UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM);
    features.minor_hugetlb =
        all(protection | UFFD_FEATURE_MISSING_HUGETLBFS | UFFD_FEATURE_MINOR_HUGETLBFS);
    features.poison = all(UFFD_FEATURE_POISON);
    features.move = all(UFFD_FEATURE_MOVE);
    const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const Result<Mapping> page =
        Mapping::create(page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    features.continue_wp = page.has_value() && knows_continue_wp(uffd->get(), *page);
    return features;
}

}  // namespace ciuic
