// SPDX-License-Identifier: Apache-2.0
//
// The heap's entry points. Small requests go straight to the C library under its internal names;
// large ones to Ciuic. free() tells the two apart by one comparison of the address.
//
// Threads: any, at any time, the dynamic linker before main() included.
#include "interposer/hooks.hpp"
#include "interposer/large.hpp"
#include "interposer/runtime.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>

// NOLINTBEGIN(bugprone-reserved-identifier): glibc's own names
extern "C" {
void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace ciuic::interposer {
namespace {

bool is_small(size_t bytes) { return __builtin_expect(bytes < settings.threshold_bytes, 1); }

bool is_power_of_two(size_t number) { return number && !(number & (number - 1)); }

constexpr size_t page_bytes = 4096;  // of x86-64 and of aarch64 as distributed

// The C library has no internal name for this one. dlsym() allocates little, if anything.
size_t libc_usable_bytes(void* address) {
    using UsableSize = size_t (*)(void*);
    static std::atomic<UsableSize> found{nullptr};
    UsableSize usable_size = found.load(std::memory_order_relaxed);
    if (!usable_size) {
        usable_size = reinterpret_cast<UsableSize>(dlsym(RTLD_NEXT, "malloc_usable_size"));
        found.store(usable_size, std::memory_order_relaxed);
    }
    return usable_size ? usable_size(address) : 0;
}

void* aligned(size_t alignment, size_t bytes) {
    if (is_small(bytes) || !is_power_of_two(alignment)) return __libc_memalign(alignment, bytes);
    const Large large = allocate_large(bytes, alignment);
    if (large.verdict == Verdict::fell_through) return __libc_memalign(alignment, bytes);
    return large.address;
}

// Grown from the C library's heap into a large allocation.
void* move_in(void* old, size_t bytes) {
    const Large large = allocate_large(bytes, 1);
    if (large.verdict == Verdict::fell_through) return __libc_realloc(old, bytes);
    if (large.verdict == Verdict::refused) return nullptr;
    std::memcpy(large.address, old, std::min(bytes, libc_usable_bytes(old)));
    __libc_free(old);
    return large.address;
}

// Out of Ciuic's memory, into whatever malloc() gives for the new size.
void* move_out(void* old, size_t bytes) {
    void* fresh = malloc(bytes);
    if (!fresh) return nullptr;
    std::memcpy(fresh, old, std::min(bytes, usable_bytes(old)));
    free_large(old);
    return fresh;
}

// A forked child reads its parent's bytes and gets memory of its own for them.
void* copy_inherited(const void* old, size_t bytes) {
    const size_t kept = std::min(bytes, inherited_bytes(old));
    void* fresh = bytes == 0 ? nullptr : malloc(bytes);
    if (fresh) std::memcpy(fresh, old, kept);
    return fresh;
}

void* reallocate_managed(void* old, size_t bytes) {
    if (bytes == 0) {
        free_large(old);
        return nullptr;
    }
    if (is_small(bytes)) {
        // A shrink must not fail: without room in the heap the bytes stay where they are.
        const int error = errno;
        if (void* fresh = move_out(old, bytes)) return fresh;
        errno = error;
        return old;
    }
    return resize_large(old, bytes) ? old : move_out(old, bytes);
}

}  // namespace
}  // namespace ciuic::interposer

using namespace ciuic::interposer;

extern "C" {

void* malloc(size_t bytes) noexcept {
    if (is_small(bytes)) return __libc_malloc(bytes);
    const Large large = allocate_large(bytes, 1);
    return large.verdict == Verdict::fell_through ? __libc_malloc(bytes) : large.address;
}

void free(void* address) noexcept {
    if (__builtin_expect(!may_be_managed(address), 1)) {
        __libc_free(address);
        return;
    }
    switch (owner_of(address)) {
    case Owner::system: __libc_free(address); break;
    case Owner::session: free_large(address); break;
    case Owner::inherited: break;
    }
}

void* calloc(size_t count, size_t each_bytes) noexcept {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, each_bytes, &bytes) || is_small(bytes))
        return __libc_calloc(count, each_bytes);
    const Large large = allocate_large(bytes, 1);  // reads as zero
    return large.verdict == Verdict::fell_through ? __libc_calloc(count, each_bytes)
                                                  : large.address;
}

void* realloc(void* old, size_t bytes) noexcept {
    if (!old) return malloc(bytes);
    if (may_be_managed(old)) {
        const Owner owner = owner_of(old);
        if (owner == Owner::session) return reallocate_managed(old, bytes);
        if (owner == Owner::inherited) return copy_inherited(old, bytes);
    }
    return is_small(bytes) ? __libc_realloc(old, bytes) : move_in(old, bytes);
}

void* reallocarray(void* old, size_t count, size_t each_bytes) noexcept {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, each_bytes, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(old, bytes);
}

void* memalign(size_t alignment, size_t bytes) noexcept { return aligned(alignment, bytes); }

void* aligned_alloc(size_t alignment, size_t bytes) noexcept { return aligned(alignment, bytes); }

int posix_memalign(void** result, size_t alignment, size_t bytes) noexcept {
    if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
    const int error = errno;
    void* address = aligned(alignment, bytes);
    errno = error;
    if (!address) return ENOMEM;
    *result = address;
    return 0;
}

void* valloc(size_t bytes) noexcept { return aligned(page_bytes, bytes); }

void* pvalloc(size_t bytes) noexcept {
    size_t rounded = 0;
    if (__builtin_add_overflow(bytes, page_bytes - 1, &rounded)) {
        errno = ENOMEM;
        return nullptr;
    }
    return aligned(page_bytes, rounded & ~(page_bytes - 1));
}

size_t malloc_usable_size(void* address) noexcept {
    if (!address) return 0;
    if (may_be_managed(address)) {
        const Owner owner = owner_of(address);
        if (owner == Owner::session) return usable_bytes(address);
        if (owner == Owner::inherited) return inherited_bytes(address);
    }
    return libc_usable_bytes(address);
}

}  // extern "C"
