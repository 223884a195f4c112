// SPDX-License-Identifier: Apache-2.0
//
// The entry points for mappings. With CIUIC_MMAP=1, large private anonymous readable and writable
// mappings at an address that the system may choose come from Ciuic; every other goes to the
// system, by the system call itself. What is later done to managed memory, by whatever call it was
// had, is dealt with here:
//
//   munmap     see mappings.hpp; memory from malloc is no mapping: it is left alone
//   mremap     in place where that can be, else to a new place when allowed; to a given place, or
//              leaving the old one behind: EINVAL
//   madvise    DONTNEED and FREE: reads as zero; WILLNEED: prefetch; of the others, those that
//              promise something about fork or the bytes: EINVAL, mere hints: ignored
//   mprotect   by the system; undone when the memory is given back
//   mlock      ENOMEM: what is locked may not go to the disk, where managed memory goes. munlock:
//              nothing to undo. mlockall: ENOMEM and one line, once, for the same reason
//   mincore    by the system: what is on the device is in memory
//
// A forked child reads its parent's memory (large.hpp): munmap and the hints do nothing, DONTNEED
// and FREE say EINVAL, mremap EFAULT, mprotect with PROT_WRITE EACCES.
//
//   mmap at a fixed place in managed memory: anonymous private only, reads as zero; else EINVAL
//
// Not here: MAP_SHARED, files, stacks, huge pages: never managed.
// Threads: any.
#include "interposer/hooks.hpp"
#include "interposer/mappings.hpp"
#include "interposer/runtime.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>

namespace ciuic::interposer {
namespace {

constexpr size_t page_bytes = 4096;

constexpr int read_write = PROT_READ | PROT_WRITE;

bool is_anonymous_private(int flags) {
    return (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE;
}

bool is_servable(size_t bytes, int protection, int flags) {
    constexpr int never =
        MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | MAP_STACK | MAP_HUGETLB | MAP_32BIT;
    return settings.serve_mmap && bytes >= settings.threshold_bytes && protection == read_write &&
           is_anonymous_private(flags) && !(flags & never) && !InsideCiuic::here();
}

// 0 where that is too large.
size_t round_to_pages(size_t bytes) { return (bytes + page_bytes - 1) & ~(page_bytes - 1); }

bool is_page_aligned(const void* address) {
    return (reinterpret_cast<uintptr_t>(address) & (page_bytes - 1)) == 0;
}

Owner owner(const void* address) {
    if (!may_be_managed(address) || InsideCiuic::here()) return Owner::system;
    return owner_of(address);
}

void* failed(int error) {
    errno = error;
    return MAP_FAILED;
}

void* map_by_system(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}

int protect(void* address, size_t bytes, int protection) {
    if (protection != read_write) note_protection();
    return static_cast<int>(::syscall(SYS_mprotect, address, bytes, protection));
}

void* map_over_managed(void* address, size_t bytes, int protection, int flags) {
    if (!is_anonymous_private(flags) || !is_page_aligned(address) || bytes == 0)
        return failed(EINVAL);
    if (protect(address, bytes, read_write) != 0) return MAP_FAILED;
    if (!clear_large(address, bytes)) return failed(EINVAL);
    return protect(address, bytes, protection) == 0 ? address : MAP_FAILED;
}

void* map(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    if ((flags & MAP_FIXED) && owner(address) == Owner::session)
        return map_over_managed(address, round_to_pages(bytes), protection, flags);
    if (is_servable(bytes, protection, flags)) {
        const Large large = map_large(round_to_pages(bytes));
        if (large.verdict == Verdict::served) return large.address;
        if (large.verdict == Verdict::refused) return MAP_FAILED;
    }
    return map_by_system(address, bytes, protection, flags, fd, offset);
}

void* remap_managed(void* old, size_t old_bytes, size_t new_bytes, int flags) {
    if (!is_page_aligned(old) || old_bytes == 0 || new_bytes == 0 || (flags & ~MREMAP_MAYMOVE))
        return failed(EINVAL);
    if (remap_large(old, old_bytes, new_bytes)) return old;
    if (!(flags & MREMAP_MAYMOVE)) return failed(ENOMEM);
    const Large large = map_large(new_bytes);
    if (large.verdict != Verdict::served) return failed(ENOMEM);
    std::memcpy(large.address, old, std::min(old_bytes, new_bytes));
    unmap_large(old, old_bytes);
    return large.address;
}

int advise_managed(void* address, size_t bytes, int advice) {
    if (!is_page_aligned(address)) {
        errno = EINVAL;
        return -1;
    }
    bool done = true;
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE: done = bytes == 0 || clear_large(address, bytes); break;
    case MADV_WILLNEED: prefetch_large(address, bytes); break;
    case MADV_WIPEONFORK:
    case MADV_REMOVE:
    case MADV_HWPOISON: done = false; break;
    default: break;
    }
    if (!done) errno = EINVAL;
    return done ? 0 : -1;
}

int refuse_lock() {
    errno = ENOMEM;
    return -1;
}

// Its bytes are an ancestor's, and cannot be made to read as zero here alone.
int advise_inherited(int advice) {
    if (advice != MADV_DONTNEED && advice != MADV_FREE) return 0;
    errno = EINVAL;
    return -1;
}

}  // namespace
}  // namespace ciuic::interposer

using namespace ciuic::interposer;

extern "C" {

void* mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
    return map(address, bytes, protection, flags, fd, offset);
}

void* mmap64(void* address, size_t bytes, int protection, int flags, int fd,
             off64_t offset) noexcept {
    return map(address, bytes, protection, flags, fd, offset);
}

int munmap(void* address, size_t bytes) noexcept {
    switch (owner(address)) {
    case Owner::system: return static_cast<int>(::syscall(SYS_munmap, address, bytes));
    case Owner::inherited: return 0;
    case Owner::session: break;
    }
    if (!is_page_aligned(address) || bytes == 0) {
        errno = EINVAL;
        return -1;
    }
    unmap_large(address, round_to_pages(bytes));
    return 0;
}

void* mremap(void* old, size_t old_bytes, size_t new_bytes, int flags, ...) noexcept {
    switch (owner(old)) {
    case Owner::session:
        return remap_managed(old, round_to_pages(old_bytes), round_to_pages(new_bytes), flags);
    case Owner::inherited: return failed(EFAULT);
    case Owner::system: break;
    }
    va_list rest;
    va_start(rest, flags);
    void* wanted = (flags & MREMAP_FIXED) ? va_arg(rest, void*) : nullptr;
    va_end(rest);
    return reinterpret_cast<void*>(::syscall(SYS_mremap, old, old_bytes, new_bytes, flags, wanted));
}

int madvise(void* address, size_t bytes, int advice) noexcept {
    switch (owner(address)) {
    case Owner::session: return advise_managed(address, round_to_pages(bytes), advice);
    case Owner::inherited: return advise_inherited(advice);
    case Owner::system: break;
    }
    return static_cast<int>(::syscall(SYS_madvise, address, bytes, advice));
}

int mlock(const void* address, size_t bytes) noexcept {
    if (owner(address) != Owner::system) return refuse_lock();
    return static_cast<int>(::syscall(SYS_mlock, address, bytes));
}

int mlock2(const void* address, size_t bytes, unsigned flags) noexcept {
    if (owner(address) != Owner::system) return refuse_lock();
    return static_cast<int>(::syscall(SYS_mlock2, address, bytes, flags));
}

int munlock(const void* address, size_t bytes) noexcept {
    if (owner(address) != Owner::system) return 0;
    return static_cast<int>(::syscall(SYS_munlock, address, bytes));
}

// It would also fill the whole address space of a session, now or when that is opened.
int mlockall(int flags) noexcept {
    if (InsideCiuic::here() || !may_manage())
        return static_cast<int>(::syscall(SYS_mlockall, flags));
    static std::atomic<bool> said{false};
    if (!said.exchange(true))
        say("mlockall() is refused to this program: memory that is managed cannot be locked");
    return refuse_lock();
}

int mprotect(void* address, size_t bytes, int protection) noexcept {
    switch (owner(address)) {
    case Owner::session: return protect(address, bytes, protection);
    case Owner::inherited:
        if ((protection & PROT_WRITE) == 0) break;
        errno = EACCES;
        return -1;
    case Owner::system: break;
    }
    return static_cast<int>(::syscall(SYS_mprotect, address, bytes, protection));
}

}  // extern "C"
